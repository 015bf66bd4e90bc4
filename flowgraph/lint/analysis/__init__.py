"""What the code of a file does, as rules ask it.

What runs in a workflow's body, what becomes of an awaitable, which function a handler is, what a name stands for, what
varies from one replay to the next. Each module answers one question for all rules that have it; none knows a rule.
"""
