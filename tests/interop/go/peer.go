package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hibiken/asynq"
)

// request is one line to the peer: the operation, and whichever arguments it takes.
type request struct {
	Op       string `json:"op"`
	Task     *task  `json:"task"`
	Tasks    []task `json:"tasks"`
	OnTask   bool   `json:"options_on_task"` // give the options to NewTask instead of Enqueue
	Queue    string `json:"queue"`
	ID       string `json:"id"`
	State    string `json:"state"`
	Group    string `json:"group"`
	Payload  []byte `json:"payload"`
	Days     int    `json:"days"`
	Force    bool   `json:"force"`
	Page     *int   `json:"page"`
	PageSize *int   `json:"page_size"`
}

type reply struct {
	Result any      `json:"result"`
	Error  *failure `json:"error"`
}

// peer answers requests with a client and an inspector, as two programs of some other team would.
type peer struct {
	client    *asynq.Client
	inspector *asynq.Inspector
}

func runPeer(arguments []string) error {
	redis, err := parseArguments(arguments, nil)
	if err != nil {
		return err
	}
	p := peer{client: asynq.NewClient(redis), inspector: asynq.NewInspector(redis)}
	output := newWriter()
	return readLines(func(line []byte) error {
		var r request
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&r); err != nil {
			return fmt.Errorf("interop: bad request: %w", err)
		}
		result, err := p.answer(&r)
		output.write(reply{Result: result, Error: describeError(err)})
		return nil
	})
}

// answer turns a panic of the library into an error: asynq's inspector panics on some malformed data.
func (p *peer) answer(r *request) (result any, err error) {
	defer func() {
		if value := recover(); value != nil {
			result, err = nil, fmt.Errorf("panic: %v", value)
		}
	}()
	switch r.Op {
	case "enqueue":
		return p.enqueue(r.Task, r.OnTask)
	case "enqueue_many":
		return p.enqueueMany(r.Tasks), nil
	case "everything":
		return p.everything(), nil
	case "queues":
		return p.inspector.Queues()
	case "groups":
		return p.groups(r.Queue)
	case "queue_info":
		return p.queueInfo(r.Queue)
	case "history":
		return p.history(r.Queue, r.Days)
	case "task_info":
		info, err := p.inspector.GetTaskInfo(r.Queue, r.ID)
		if err != nil {
			return nil, err
		}
		return describe(info), nil
	case "list":
		return p.list(r)
	case "run":
		return nil, p.inspector.RunTask(r.Queue, r.ID)
	case "archive":
		return nil, p.inspector.ArchiveTask(r.Queue, r.ID)
	case "delete":
		return nil, p.inspector.DeleteTask(r.Queue, r.ID)
	case "update_payload":
		return nil, p.inspector.UpdateTaskPayload(r.Queue, r.ID, r.Payload)
	case "run_all":
		return p.runAll(r)
	case "archive_all":
		return p.archiveAll(r)
	case "delete_all":
		return p.deleteAll(r)
	case "delete_queue":
		return nil, p.inspector.DeleteQueue(r.Queue, r.Force)
	case "cancel":
		return nil, p.inspector.CancelProcessing(r.ID)
	case "pause":
		return nil, p.inspector.PauseQueue(r.Queue)
	case "unpause":
		return nil, p.inspector.UnpauseQueue(r.Queue)
	case "scrape":
		return p.scrape()
	case "servers":
		return p.servers()
	case "scheduler_entries":
		return p.schedulerEntries()
	case "enqueue_events":
		return p.enqueueEvents(r.ID)
	default:
		return nil, fmt.Errorf("interop: unknown operation %q", r.Op)
	}
}

func (p *peer) enqueue(t *task, optionsOnTask bool) (any, error) {
	var info *asynq.TaskInfo
	var err error
	if optionsOnTask {
		info, err = p.client.Enqueue(t.task(t.options()...))
	} else {
		info, err = p.client.Enqueue(t.task(), t.options()...)
	}
	if err != nil {
		return nil, err
	}
	return describe(info), nil
}

// enqueueMany enqueues one by one: the batch call is not in the published module.
func (p *peer) enqueueMany(tasks []task) []reply {
	replies := make([]reply, 0, len(tasks))
	for i := range tasks {
		info, err := p.enqueue(&tasks[i], false)
		replies = append(replies, reply{Result: info, Error: describeError(err)})
	}
	return replies
}
