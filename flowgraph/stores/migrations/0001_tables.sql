-- The first schema. Times are integer microseconds UTC; JSON is TEXT, so that it can be queried with SQL.

-- name: run
-- Runs. Short columns come first: what a claim or a list reads does not walk over long inputs and outputs.
-- `fingerprint` is that of the graph which the last worker had ('unknown': it had none).
CREATE TABLE run (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    status TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    signals INTEGER NOT NULL DEFAULT 0,
    recoveries INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    detached INTEGER NOT NULL DEFAULT 0,
    worker INTEGER,
    parent_no INTEGER,
    wake_us INTEGER,
    created_us INTEGER NOT NULL,
    started_us INTEGER,
    finished_us INTEGER,
    executed_us INTEGER NOT NULL DEFAULT 0,
    fingerprint TEXT,
    reason TEXT,
    input TEXT NOT NULL,
    output TEXT,
    error TEXT
);

-- name: run_due
-- Finds the runs that are due. The workflow leads, so that a backlog of one workflow does not slow the claims of others.
CREATE INDEX run_due ON run (workflow, wake_us) WHERE wake_us IS NOT NULL;

-- name: run_worker
-- Finds the runs of a worker.
CREATE INDEX run_worker ON run (worker) WHERE worker IS NOT NULL;

-- name: run_parent
-- Finds the children of a run.
CREATE INDEX run_parent ON run (parent_no) WHERE parent_no IS NOT NULL;

-- name: run_paused
-- Finds the paused runs of a workflow.
CREATE INDEX run_paused ON run (workflow) WHERE status = 'paused';

-- name: checkpoint
-- The histories, append-only. The key is the run's number and the row's number in the run, so it is the only index.
-- `node` is the step's node in the graph, '' for a step that the graph does not know, NULL where the graph is unknown.
CREATE TABLE checkpoint (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    finished_us INTEGER NOT NULL,
    executed_us INTEGER NOT NULL,
    payload TEXT,
    due_us INTEGER,
    detail TEXT,
    node TEXT
);

-- name: graph
-- The graphs of workflows, by their meaning. What they were compiled from, and the lines, are those of the last time.
CREATE TABLE graph (
    fingerprint TEXT PRIMARY KEY,
    workflow TEXT NOT NULL,
    compiled_us INTEGER NOT NULL,
    dependencies TEXT NOT NULL,
    diagnostics TEXT NOT NULL,
    graph TEXT NOT NULL
);

-- name: graph_workflow
-- Finds the last graphs of a workflow.
CREATE INDEX graph_workflow ON graph (workflow, compiled_us);

-- name: event
-- Events. `taken_by` is the checkpoint that consumed it; a taken event stays, so that its send id is known.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    run_no INTEGER NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    send_id TEXT,
    sent_us INTEGER NOT NULL,
    taken_by INTEGER
);

-- name: event_send_id
-- The same send id is stored once.
CREATE UNIQUE INDEX event_send_id ON event (run_no, send_id) WHERE send_id IS NOT NULL;

-- name: event_untaken
-- Finds what nobody has taken.
CREATE INDEX event_untaken ON event (run_no) WHERE taken_by IS NULL;

-- name: watch
-- Which run is signalled by the end of which. A watch lasts as long as the wait at `path` that it serves.
CREATE TABLE watch (
    target_no INTEGER NOT NULL,
    watcher_no INTEGER NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (watcher_no, path, target_no)
) WITHOUT ROWID;

-- name: watch_target
-- Finds the watchers of a run.
CREATE INDEX watch_target ON watch (target_no);

-- name: run_tag
-- Tags of runs.
CREATE TABLE run_tag (
    run_no INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_no, key)
) WITHOUT ROWID;

-- name: run_tag_value
-- Finds the runs with a tag.
CREATE INDEX run_tag_value ON run_tag (key, value);

-- name: worker
-- Registered workers. AUTOINCREMENT: a number never returns, so a struck-off worker cannot be taken for another one.
CREATE TABLE worker (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    lock TEXT NOT NULL,
    started_us INTEGER NOT NULL,
    lease_until_us INTEGER NOT NULL
);
