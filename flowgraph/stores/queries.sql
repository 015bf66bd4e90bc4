-- All that a store asks of its database, in one text for SQLite >= 3.35 and PostgreSQL >= 14.
--
-- Each query is headed by its name and one line of purpose. Where a dialect must differ, a second block of the same name
-- is headed "-- name: NAME for DIALECT" and says why. Parameters are written `:name`. A query with
-- `new (...) AS (VALUES (...))` takes a list of rows: its driver repeats the parenthesis after VALUES for each of them,
-- so a batch is one statement. (One call per row would be slower, and while the event loop is busy each call of the
-- database waits up to 5 ms for Python's interpreter lock.) Lists of numbers and of workflow names come as JSON text.
--
-- A fenced write names the run, the epoch and status 'running' (which means: it has a worker). Which status may follow
-- which is said in flowgraph/model/run.py; tests/stores compares these queries with that table.


-- Schema --------------------------------------------------------------------------------------------------------------

-- name: schema_version
-- The number of the last migration that was applied.
SELECT coalesce(max(no), 0) FROM migration;

-- name: record_migration
-- Record a migration.
INSERT INTO migration (no, name) VALUES (:no, :name);


-- Runs ----------------------------------------------------------------------------------------------------------------

-- name: next_run_no
-- The number of the next new run; the write transaction keeps it ours.
SELECT coalesce(max(no), 0) + 1 FROM run;

-- name: start_runs
-- Insert runs; an id that exists stays as it is, and a child of a stale parent is refused.
INSERT INTO run (no, id, workflow, status, epoch, worker, input, wake_us, created_us, started_us, parent_no, detached,
                 fingerprint)
WITH new (no, id, workflow, status, epoch, worker, input, wake_us, created_us, started_us, parent_no, parent_epoch,
          detached, fingerprint)
AS (VALUES (:no, :id, :workflow, :status, :epoch, :worker, :input, :wake_us, :created_us, :started_us, :parent_no,
            :parent_epoch, :detached, :fingerprint))
SELECT no, id, workflow, status, epoch, worker, input, wake_us, created_us, started_us, parent_no, detached, fingerprint
FROM new
WHERE parent_no IS NULL
   OR EXISTS (SELECT 1 FROM run AS parent
              WHERE parent.no = new.parent_no AND parent.epoch = new.parent_epoch AND parent.status = 'running')
ON CONFLICT (id) DO NOTHING;

-- name: tag_runs
-- Insert tags of new runs.
INSERT INTO run_tag (run_no, key, value)
WITH new (run_no, key, value) AS (VALUES (:run_no, :key, :value))
SELECT run_no, key, value FROM new;

-- name: is_owned
-- Tell whether an epoch of a run is the present one, and the run has a worker.
SELECT 1 FROM run WHERE no = :run_no AND epoch = :epoch AND status = 'running';

-- name: run_by_id
-- What a start, a send or a cancellation has to know of a run.
SELECT no, workflow, input, status FROM run WHERE id = :run_id;

-- name: due_runs
-- The runs that are due, the longest due first; each workflow is asked by itself, so that the index orders it.
SELECT due.no
FROM json_each(:workflows) AS served
CROSS JOIN run AS due ON due.no IN (
    SELECT run.no FROM run
    WHERE run.workflow = served.value AND run.wake_us <= :now_us
    ORDER BY run.wake_us, run.no LIMIT :most)
WHERE EXISTS (SELECT 1 FROM worker WHERE worker.no = :worker)
ORDER BY due.wake_us, due.no
LIMIT :most;

-- name: claim_runs
-- Claim runs that are due; `fingerprints` are those of the graphs of workflows that the worker knows already.
UPDATE run
SET status = 'running', worker = :worker, epoch = epoch + 1, wake_us = NULL,
    started_us = coalesce(started_us, :now_us),
    fingerprint = coalesce((SELECT known.value FROM json_each(:fingerprints) AS known WHERE known.key = run.workflow),
                           fingerprint)
WHERE no IN (SELECT value FROM json_each(:run_nos))
  AND status IN ('pending', 'sleeping', 'listening', 'waiting')
RETURNING no, id, workflow, input, epoch, signals, cancel_requested, executed_us, fingerprint,
    (SELECT parent.id FROM run AS parent WHERE parent.no = run.parent_no);

-- name: bind_runs
-- Say by which graphs runs are executed.
WITH new (run_no, epoch, fingerprint) AS (VALUES (:run_no, :epoch, :fingerprint))
UPDATE run
SET fingerprint = new.fingerprint
FROM new
WHERE run.no = new.run_no AND run.epoch = new.epoch AND run.status = 'running';

-- name: next_wake
-- When the next run of these workflows is due.
SELECT min((SELECT min(run.wake_us) FROM run WHERE run.workflow = served.value AND run.wake_us IS NOT NULL))
FROM json_each(:workflows) AS served;

-- name: suspend_runs
-- Give up the worker; a signal that the worker has not seen, or a cancellation, makes the run due at once.
WITH new (run_no, epoch, status, signals, wake_us, now_us, executed_us)
AS (VALUES (:run_no, :epoch, :status, :signals, :wake_us, :now_us, :executed_us))
UPDATE run
SET status = new.status, worker = NULL, reason = NULL, executed_us = new.executed_us,
    wake_us = CASE WHEN run.signals > new.signals OR run.cancel_requested = 1 THEN new.now_us ELSE new.wake_us END
FROM new
WHERE run.no = new.run_no AND run.epoch = new.epoch AND run.status = 'running';

-- name: entangled_runs
-- Those of these runs whose end concerns others, or is a cancellation: they are ended one by one.
SELECT run.no
FROM json_each(:run_nos) AS ending JOIN run ON run.no = ending.value
WHERE run.cancel_requested = 1
   OR EXISTS (SELECT 1 FROM watch WHERE watch.target_no = run.no)
   OR EXISTS (SELECT 1 FROM watch WHERE watch.watcher_no = run.no)
   OR EXISTS (SELECT 1 FROM run AS child WHERE child.parent_no = run.no);

-- name: finish_runs
-- End runs; an acknowledged cancellation wins over any result.
WITH new (run_no, epoch, status, output, error, executed_us, now_us)
AS (VALUES (:run_no, :epoch, :status, :output, :error, :executed_us, :now_us))
UPDATE run
SET status = CASE WHEN run.cancel_requested = 1 THEN 'cancelled' ELSE new.status END,
    output = CASE WHEN run.cancel_requested = 1 THEN NULL ELSE new.output END,
    error = CASE WHEN run.cancel_requested = 1 AND new.status <> 'cancelled' THEN NULL ELSE new.error END,
    worker = NULL, reason = NULL, executed_us = new.executed_us, finished_us = new.now_us
FROM new
WHERE run.no = new.run_no AND run.epoch = new.epoch AND run.status = 'running';

-- name: status_of
-- A run's status.
SELECT status FROM run WHERE no = :run_no;

-- name: release_runs
-- Give runs back: pending, due now.
WITH new (run_no, epoch, executed_us, now_us) AS (VALUES (:run_no, :epoch, :executed_us, :now_us))
UPDATE run
SET status = 'pending', worker = NULL, reason = NULL, wake_us = new.now_us,
    executed_us = CASE WHEN new.executed_us > run.executed_us THEN new.executed_us ELSE run.executed_us END
FROM new
WHERE run.no = new.run_no AND run.epoch = new.epoch AND run.status = 'running';

-- name: pause_run
-- Pause a run, or end it where a cancellation was acknowledged, which nobody would look at in a paused run.
UPDATE run
SET status = CASE WHEN cancel_requested = 1 THEN 'cancelled' ELSE 'paused' END,
    finished_us = CASE WHEN cancel_requested = 1 THEN CAST(:now_us AS BIGINT) END,
    reason = CASE WHEN cancel_requested = 0 THEN CAST(:reason AS TEXT) END,
    worker = NULL, executed_us = :executed_us
WHERE no = :run_no AND epoch = :epoch AND status = 'running'
RETURNING status;

-- name: reopen_runs
-- Make runs that are paused for a reason pending again; a detail may follow the reason after a colon.
UPDATE run
SET status = 'pending', reason = NULL, wake_us = :now_us
WHERE status = 'paused'
  AND workflow IN (SELECT value FROM json_each(:workflows))
  AND (reason = :reason OR substr(reason, 1, length(:reason) + 2) = :reason || ': ')
RETURNING no;

-- name: note_runs
-- Say why runs stay resident.
WITH new (run_no, epoch, reason) AS (VALUES (:run_no, :epoch, :reason))
UPDATE run
SET reason = new.reason
FROM new
WHERE run.no = new.run_no AND run.epoch = new.epoch AND run.status = 'running';

-- name: signal_run
-- Signal a run; one that listens becomes due.
UPDATE run
SET signals = signals + 1,
    wake_us = CASE WHEN status <> 'listening' OR wake_us < :now_us THEN wake_us ELSE :now_us END
WHERE no = :run_no;

-- name: flag_run
-- Tell the owner of a run that the run is to be cancelled.
UPDATE run SET cancel_requested = 1, signals = signals + 1 WHERE no = :run_no AND status = 'running';

-- name: cancel_run
-- Cancel a run that has no worker.
UPDATE run
SET status = 'cancelled', reason = NULL, wake_us = NULL, finished_us = :now_us
WHERE no = :run_no AND status IN ('pending', 'paused', 'sleeping', 'listening', 'waiting');

-- name: flag_children
-- Tell the owners of a run's children that these are to be cancelled.
UPDATE run SET cancel_requested = 1, signals = signals + 1
WHERE parent_no = :run_no AND detached = 0 AND status = 'running';

-- name: cancel_children
-- Cancel the children of a run that have no worker.
UPDATE run
SET status = 'cancelled', reason = NULL, wake_us = NULL, finished_us = :now_us
WHERE parent_no = :run_no AND detached = 0 AND status IN ('pending', 'paused', 'sleeping', 'listening', 'waiting')
RETURNING no;


-- Histories, events, watches -----------------------------------------------------------------------------------------

-- name: save_rows
-- Append rows to the histories of owned runs.
INSERT INTO checkpoint (id, path, kind, state, attempt, started_us, finished_us, executed_us, payload, due_us, detail,
                        node)
WITH new (run_no, epoch, id, path, kind, state, attempt, started_us, finished_us, executed_us, payload, due_us, detail,
          node)
AS (VALUES (:run_no, :epoch, :id, :path, :kind, :state, :attempt, :started_us, :finished_us, :executed_us, :payload,
            :due_us, :detail, :node))
SELECT id, path, kind, state, attempt, started_us, finished_us, executed_us, payload, due_us, detail, node
FROM new
WHERE EXISTS (SELECT 1 FROM run WHERE run.no = new.run_no AND run.epoch = new.epoch AND run.status = 'running');

-- name: take_event
-- Say which row consumed an event.
UPDATE event SET taken_by = :row_id WHERE id = :event_id AND run_no = :run_no AND taken_by IS NULL
RETURNING id;

-- name: store_event
-- Store an event, the same send id once.
INSERT INTO event (run_no, name, payload, send_id, sent_us)
VALUES (:run_no, :event, :payload, :send_id, :now_us)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: watch_run
-- Let the end of a run signal another one, as long as the wait at this path lasts.
INSERT INTO watch (target_no, watcher_no, path) VALUES (:target_no, :watcher_no, :path) ON CONFLICT DO NOTHING;

-- name: unwatch_path
-- A wait is over.
DELETE FROM watch WHERE watcher_no = :watcher_no AND path = :path;

-- name: unwatch_all
-- A run has ended, and all its waits with it.
DELETE FROM watch WHERE watcher_no = :watcher_no;

-- name: signal_watchers
-- Signal the runs that watch a run; those that are suspended become due.
UPDATE run
SET signals = signals + 1,
    wake_us = CASE WHEN status NOT IN ('sleeping', 'listening', 'waiting') OR wake_us < :now_us THEN wake_us
                   ELSE :now_us END
WHERE no IN (SELECT watcher_no FROM watch WHERE target_no = :target_no);


-- Graphs --------------------------------------------------------------------------------------------------------------

-- name: keep_graph
-- Keep a graph by its fingerprint; one that was compiled from something else, or has other lines, is brought up to date.
INSERT INTO graph (fingerprint, workflow, compiled_us, dependencies, diagnostics, graph)
VALUES (:fingerprint, :workflow, :now_us, :dependencies, :diagnostics, :graph)
ON CONFLICT (fingerprint) DO UPDATE
SET compiled_us = excluded.compiled_us, dependencies = excluded.dependencies, diagnostics = excluded.diagnostics,
    graph = excluded.graph
WHERE graph.dependencies <> excluded.dependencies OR graph.graph <> excluded.graph
   OR graph.diagnostics <> excluded.diagnostics;

-- name: graphs_of
-- The graphs of a workflow, last compiled first.
SELECT fingerprint, workflow, graph, diagnostics, dependencies
FROM graph
WHERE workflow = :workflow
ORDER BY compiled_us DESC, fingerprint
LIMIT :most;

-- name: graph_of_run
-- The graph by which a run was last executed.
SELECT graph.fingerprint, graph.workflow, graph.graph, graph.diagnostics, graph.dependencies
FROM run JOIN graph ON graph.fingerprint = run.fingerprint
WHERE run.id = :run_id;


-- Workers -------------------------------------------------------------------------------------------------------------

-- name: enlist_worker
-- Register a worker.
INSERT INTO worker (host, pid, lock, started_us, lease_until_us)
VALUES (:host, :pid, :lock, :now_us, :lease_until_us)
RETURNING no;

-- name: is_registered
-- Tell whether a worker is registered.
SELECT 1 FROM worker WHERE no = :worker;

-- name: renew_lease
-- Renew the lease of a worker.
UPDATE worker SET lease_until_us = :lease_until_us WHERE no = :worker RETURNING no;

-- name: beat_runs
-- Save the executing times of owned runs.
WITH new (run_no, epoch, executed_us) AS (VALUES (:run_no, :epoch, :executed_us))
UPDATE run
SET executed_us = new.executed_us
FROM new
WHERE run.no = new.run_no AND run.epoch = new.epoch AND run.status = 'running';

-- name: strike_off_worker
-- Strike a worker off.
DELETE FROM worker WHERE no = :worker;

-- name: count_recovered_time
-- Count the executing time of a dead worker's runs up to their last rows, which are younger than its last heartbeat.
UPDATE run
SET executed_us = (SELECT checkpoint.executed_us FROM checkpoint
                   WHERE checkpoint.id BETWEEN run.no * 16777216 AND run.no * 16777216 + 16777215
                   ORDER BY checkpoint.id DESC LIMIT 1)
WHERE worker = :worker
  AND executed_us < (SELECT checkpoint.executed_us FROM checkpoint
                     WHERE checkpoint.id BETWEEN run.no * 16777216 AND run.no * 16777216 + 16777215
                     ORDER BY checkpoint.id DESC LIMIT 1);

-- name: end_recovered_runs
-- End those of a dead worker's runs whose cancellation was acknowledged.
UPDATE run
SET status = 'cancelled', worker = NULL, reason = NULL, epoch = epoch + 1, finished_us = :now_us
WHERE worker = :worker AND cancel_requested = 1
RETURNING no;

-- name: pause_recovered_runs
-- Pause those of a dead worker's runs that have taken down too many workers.
UPDATE run
SET status = 'paused', worker = NULL, reason = :reason, epoch = epoch + 1, recoveries = recoveries + 1
WHERE worker = :worker AND recoveries + 1 >= :max_recoveries
RETURNING no;

-- name: requeue_recovered_runs
-- Make the runs of a worker pending, due now; `counted` is 1 for a dead worker and 0 for one that leaves.
UPDATE run
SET status = 'pending', worker = NULL, reason = NULL, wake_us = :now_us, epoch = epoch + 1,
    recoveries = recoveries + :counted
WHERE worker = :worker
RETURNING no;


-- Questions -----------------------------------------------------------------------------------------------------------

-- name: find_run
-- One run by id.
SELECT run.no, run.id, run.workflow, run.status, run.input, run.output, run.error, run.reason, run.created_us,
    run.started_us, run.finished_us, run.wake_us, run.executed_us, run.epoch, run.recoveries, run.worker,
    run.fingerprint, parent.id
FROM run LEFT JOIN run AS parent ON parent.no = run.parent_no
WHERE run.id = :run_id;

-- name: list_runs
-- Runs, newest first.
SELECT run.no, run.id, run.workflow, run.status, run.input, run.output, run.error, run.reason, run.created_us,
    run.started_us, run.finished_us, run.wake_us, run.executed_us, run.epoch, run.recoveries, run.worker,
    run.fingerprint, parent.id
FROM run LEFT JOIN run AS parent ON parent.no = run.parent_no
WHERE (:workflow IS NULL OR run.workflow = :workflow)
  AND (:status IS NULL OR run.status = :status)
  AND (:since_us IS NULL OR run.created_us >= :since_us)
  AND (:until_us IS NULL OR run.created_us < :until_us)
  AND (:after IS NULL OR run.no < (SELECT last.no FROM run AS last WHERE last.id = :after))
ORDER BY run.no DESC
LIMIT :most;

-- name: list_tagged_runs
-- Runs with certain tags, newest first; one of the tags finds them by its index.
SELECT run.no, run.id, run.workflow, run.status, run.input, run.output, run.error, run.reason, run.created_us,
    run.started_us, run.finished_us, run.wake_us, run.executed_us, run.epoch, run.recoveries, run.worker,
    run.fingerprint, parent.id
FROM run LEFT JOIN run AS parent ON parent.no = run.parent_no
WHERE run.no IN (SELECT tag.run_no FROM run_tag AS tag WHERE tag.key = :key AND tag.value = :value)
  AND (:workflow IS NULL OR run.workflow = :workflow)
  AND (:status IS NULL OR run.status = :status)
  AND (:since_us IS NULL OR run.created_us >= :since_us)
  AND (:until_us IS NULL OR run.created_us < :until_us)
  AND (:after IS NULL OR run.no < (SELECT last.no FROM run AS last WHERE last.id = :after))
  AND NOT EXISTS (
      SELECT 1 FROM json_each(:tags) AS wanted
      WHERE NOT EXISTS (SELECT 1 FROM run_tag
                        WHERE run_tag.run_no = run.no AND run_tag.key = wanted.key AND run_tag.value = wanted.value))
ORDER BY run.no DESC
LIMIT :most;

-- name: tags_of
-- The tags of some runs.
SELECT run_no, key, value FROM run_tag WHERE run_no IN (SELECT value FROM json_each(:run_nos)) ORDER BY run_no, key;

-- name: history
-- A run's rows in order.
SELECT id, path, kind, state, attempt, started_us, finished_us, executed_us, payload, due_us, detail, node
FROM checkpoint
WHERE id BETWEEN :first_id AND :last_id
ORDER BY id;

-- name: mail_signals
-- How many signals came for a run, and whether it is to be cancelled.
SELECT signals, cancel_requested FROM run WHERE no = :run_no;

-- name: mail_events
-- The events that nobody has taken, first sent first.
SELECT id, name, payload FROM event WHERE run_no = :run_no AND taken_by IS NULL ORDER BY id;

-- name: mail_outcomes
-- How the runs stand that a run watches.
SELECT run.id, run.status, run.output, run.error, run.workflow
FROM run
WHERE run.no IN (SELECT watch.target_no FROM watch WHERE watch.watcher_no = :run_no);

-- name: outcomes
-- How some runs stand.
WITH new (id) AS (VALUES (:id))
SELECT run.id, run.status, run.output, run.error, run.workflow FROM run WHERE run.id IN (SELECT new.id FROM new);

-- name: owned_runs
-- The runs of a worker.
SELECT no, epoch, signals FROM run WHERE worker = :worker;

-- name: workers
-- All registered workers.
SELECT no, host, pid, lock, lease_until_us FROM worker ORDER BY no;
