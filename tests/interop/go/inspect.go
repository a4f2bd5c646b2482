package main

import (
	"fmt"
	"sort"
	"time"

	"github.com/hibiken/asynq"
)

// pageSize of full listings: small, so that reading everything turns pages.
const pageSize = 7

var states = []string{"pending", "active", "scheduled", "retry", "archived", "completed"}

type groupInfo struct {
	Group string `json:"group"`
	Size  int    `json:"size"`
}

type queueInfo struct {
	Queue          string  `json:"queue"`
	MemoryUsage    int64   `json:"memory_usage"`
	Latency        float64 `json:"latency"`
	Size           int     `json:"size"`
	Groups         int     `json:"groups"`
	Pending        int     `json:"pending"`
	Active         int     `json:"active"`
	Scheduled      int     `json:"scheduled"`
	Retry          int     `json:"retry"`
	Archived       int     `json:"archived"`
	Completed      int     `json:"completed"`
	Aggregating    int     `json:"aggregating"`
	Processed      int     `json:"processed"`
	Failed         int     `json:"failed"`
	ProcessedTotal int     `json:"processed_total"`
	FailedTotal    int     `json:"failed_total"`
	Paused         bool    `json:"paused"`
}

type dailyStats struct {
	Queue     string `json:"queue"`
	Day       string `json:"day"`
	Processed int    `json:"processed"`
	Failed    int    `json:"failed"`
}

type workerInfo struct {
	TaskID   string `json:"task_id"`
	Type     string `json:"type"`
	Payload  []byte `json:"payload"`
	Queue    string `json:"queue"`
	Started  int64  `json:"started_ns"`
	Deadline int64  `json:"deadline_ns"`
}

type serverInfo struct {
	ID          string         `json:"id"`
	Host        string         `json:"host"`
	PID         int            `json:"pid"`
	Concurrency int            `json:"concurrency"`
	Queues      map[string]int `json:"queues"`
	Strict      bool           `json:"strict_priority"`
	Started     int64          `json:"started_ns"`
	Status      string         `json:"status"`
	Workers     []workerInfo   `json:"workers"`
}

type schedulerEntry struct {
	ID      string   `json:"id"`
	Spec    string   `json:"spec"`
	Type    string   `json:"type"`
	Payload []byte   `json:"payload"`
	Options []string `json:"options"`
	Next    int64    `json:"next_ns"`
	Prev    int64    `json:"prev_ns"`
}

type enqueueEvent struct {
	TaskID     string `json:"task_id"`
	EnqueuedAt int64  `json:"enqueued_at_ns"`
}

func (p *peer) groups(queue string) ([]groupInfo, error) {
	found, err := p.inspector.Groups(queue)
	groups := make([]groupInfo, 0, len(found))
	for _, group := range found {
		groups = append(groups, groupInfo{Group: group.Group, Size: group.Size})
	}
	return groups, err
}

func (p *peer) queueInfo(queue string) (*queueInfo, error) {
	info, err := p.inspector.GetQueueInfo(queue)
	if err != nil {
		return nil, err
	}
	return &queueInfo{
		Queue:          info.Queue,
		MemoryUsage:    info.MemoryUsage,
		Latency:        info.Latency.Seconds(),
		Size:           info.Size,
		Groups:         info.Groups,
		Pending:        info.Pending,
		Active:         info.Active,
		Scheduled:      info.Scheduled,
		Retry:          info.Retry,
		Archived:       info.Archived,
		Completed:      info.Completed,
		Aggregating:    info.Aggregating,
		Processed:      info.Processed,
		Failed:         info.Failed,
		ProcessedTotal: info.ProcessedTotal,
		FailedTotal:    info.FailedTotal,
		Paused:         info.Paused,
	}, nil
}

func (p *peer) history(queue string, days int) ([]dailyStats, error) {
	found, err := p.inspector.History(queue, days)
	history := make([]dailyStats, 0, len(found))
	for _, day := range found {
		history = append(history, dailyStats{
			Queue:     day.Queue,
			Day:       day.Date.UTC().Format(time.DateOnly),
			Processed: day.Processed,
			Failed:    day.Failed,
		})
	}
	return history, err
}

// list shows the page that was asked for, or every page one after the other.
func (p *peer) list(r *request) ([]taskInfo, error) {
	if r.Page != nil || r.PageSize != nil {
		var options []asynq.ListOption
		if r.Page != nil {
			options = append(options, asynq.Page(*r.Page))
		}
		if r.PageSize != nil {
			options = append(options, asynq.PageSize(*r.PageSize))
		}
		infos, err := p.listPage(r.State, r.Queue, r.Group, options...)
		return describeAll(infos), err
	}
	return p.listAll(r.State, r.Queue, r.Group)
}

func (p *peer) listAll(state, queue, group string) ([]taskInfo, error) {
	all := []taskInfo{}
	for page := 1; ; page++ {
		infos, err := p.listPage(state, queue, group, asynq.PageSize(pageSize), asynq.Page(page))
		if err != nil {
			return all, err
		}
		all = append(all, describeAll(infos)...)
		if len(infos) < pageSize {
			return all, nil
		}
	}
}

func (p *peer) listPage(state, queue, group string, options ...asynq.ListOption) ([]*asynq.TaskInfo, error) {
	switch state {
	case "pending":
		return p.inspector.ListPendingTasks(queue, options...)
	case "active":
		return p.inspector.ListActiveTasks(queue, options...)
	case "scheduled":
		return p.inspector.ListScheduledTasks(queue, options...)
	case "retry":
		return p.inspector.ListRetryTasks(queue, options...)
	case "archived":
		return p.inspector.ListArchivedTasks(queue, options...)
	case "completed":
		return p.inspector.ListCompletedTasks(queue, options...)
	case "aggregating":
		return p.inspector.ListAggregatingTasks(queue, group, options...)
	default:
		return nil, fmt.Errorf("interop: no listing of state %q", state)
	}
}

func (p *peer) runAll(r *request) (int, error) {
	switch r.State {
	case "scheduled":
		return p.inspector.RunAllScheduledTasks(r.Queue)
	case "retry":
		return p.inspector.RunAllRetryTasks(r.Queue)
	case "archived":
		return p.inspector.RunAllArchivedTasks(r.Queue)
	case "aggregating":
		return p.inspector.RunAllAggregatingTasks(r.Queue, r.Group)
	default:
		return 0, fmt.Errorf("interop: cannot run all of state %q", r.State)
	}
}

func (p *peer) archiveAll(r *request) (int, error) {
	switch r.State {
	case "pending":
		return p.inspector.ArchiveAllPendingTasks(r.Queue)
	case "scheduled":
		return p.inspector.ArchiveAllScheduledTasks(r.Queue)
	case "retry":
		return p.inspector.ArchiveAllRetryTasks(r.Queue)
	case "aggregating":
		return p.inspector.ArchiveAllAggregatingTasks(r.Queue, r.Group)
	default:
		return 0, fmt.Errorf("interop: cannot archive all of state %q", r.State)
	}
}

func (p *peer) deleteAll(r *request) (int, error) {
	switch r.State {
	case "pending":
		return p.inspector.DeleteAllPendingTasks(r.Queue)
	case "scheduled":
		return p.inspector.DeleteAllScheduledTasks(r.Queue)
	case "retry":
		return p.inspector.DeleteAllRetryTasks(r.Queue)
	case "archived":
		return p.inspector.DeleteAllArchivedTasks(r.Queue)
	case "completed":
		return p.inspector.DeleteAllCompletedTasks(r.Queue)
	case "aggregating":
		return p.inspector.DeleteAllAggregatingTasks(r.Queue, r.Group)
	default:
		return 0, fmt.Errorf("interop: cannot delete all of state %q", r.State)
	}
}

func (p *peer) servers() ([]serverInfo, error) {
	found, err := p.inspector.Servers()
	servers := make([]serverInfo, 0, len(found))
	for _, server := range found {
		workers := make([]workerInfo, 0, len(server.ActiveWorkers))
		for _, worker := range server.ActiveWorkers {
			workers = append(workers, workerInfo{
				TaskID:   worker.TaskID,
				Type:     worker.TaskType,
				Payload:  worker.TaskPayload,
				Queue:    worker.Queue,
				Started:  nanoseconds(worker.Started),
				Deadline: nanoseconds(worker.Deadline),
			})
		}
		servers = append(servers, serverInfo{
			ID:          server.ID,
			Host:        server.Host,
			PID:         server.PID,
			Concurrency: server.Concurrency,
			Queues:      server.Queues,
			Strict:      server.StrictPriority,
			Started:     nanoseconds(server.Started),
			Status:      server.Status,
			Workers:     workers,
		})
	}
	return servers, err
}

func (p *peer) schedulerEntries() ([]schedulerEntry, error) {
	found, err := p.inspector.SchedulerEntries()
	entries := make([]schedulerEntry, 0, len(found))
	for _, entry := range found {
		options := make([]string, 0, len(entry.Opts))
		for _, option := range entry.Opts {
			options = append(options, option.String())
		}
		entries = append(entries, schedulerEntry{
			ID:      entry.ID,
			Spec:    entry.Spec,
			Type:    entry.Task.Type(),
			Payload: entry.Task.Payload(),
			Options: options,
			Next:    nanoseconds(entry.Next),
			Prev:    nanoseconds(entry.Prev),
		})
	}
	return entries, err
}

func (p *peer) enqueueEvents(entry string) ([]enqueueEvent, error) {
	found, err := p.inspector.ListSchedulerEnqueueEvents(entry, asynq.PageSize(1000))
	events := make([]enqueueEvent, 0, len(found))
	for _, event := range found {
		events = append(events, enqueueEvent{TaskID: event.TaskID, EnqueuedAt: nanoseconds(event.EnqueuedAt)})
	}
	return events, err
}

// everything is all that an inspector can read, and every error it met on the way.
type everything struct {
	Queues  map[string]*queueInfo            `json:"queues"`
	Tasks   map[string]map[string][]taskInfo `json:"tasks"` // queue, then state
	Groups  map[string][]groupInfo           `json:"groups"`
	Servers []serverInfo                     `json:"servers"`
	Entries []schedulerEntry                 `json:"scheduler_entries"`
	Errors  []string                         `json:"errors"`
}

func (p *peer) everything() *everything {
	all := &everything{
		Queues: map[string]*queueInfo{},
		Tasks:  map[string]map[string][]taskInfo{},
		Groups: map[string][]groupInfo{},
		Errors: []string{},
	}
	note := func(what string, err error) {
		if err != nil {
			all.Errors = append(all.Errors, what+": "+err.Error())
		}
	}
	queues, err := p.inspector.Queues()
	note("Queues", err)
	sort.Strings(queues)
	for _, queue := range queues {
		all.readQueue(p, queue, note)
	}
	all.Servers, err = p.servers()
	note("Servers", err)
	all.Entries, err = p.schedulerEntries()
	note("SchedulerEntries", err)
	for _, entry := range all.Entries {
		_, err = p.enqueueEvents(entry.ID)
		note("ListSchedulerEnqueueEvents "+entry.ID, err)
	}
	return all
}

func (all *everything) readQueue(p *peer, queue string, note func(string, error)) {
	info, err := p.queueInfo(queue)
	note("GetQueueInfo "+queue, err)
	all.Queues[queue] = info
	_, err = p.inspector.History(queue, 90)
	note("History "+queue, err)

	tasks := map[string][]taskInfo{}
	for _, state := range states {
		tasks[state], err = p.listAll(state, queue, "")
		note("list "+state+" "+queue, err)
	}
	groups, err := p.groups(queue)
	note("Groups "+queue, err)
	all.Groups[queue] = groups
	tasks["aggregating"] = []taskInfo{}
	for _, group := range groups {
		members, err := p.listAll("aggregating", queue, group.Group)
		note("ListAggregatingTasks "+queue+" "+group.Group, err)
		tasks["aggregating"] = append(tasks["aggregating"], members...)
	}
	for _, listed := range tasks {
		for _, task := range listed {
			_, err := p.inspector.GetTaskInfo(queue, task.ID)
			note("GetTaskInfo "+queue+" "+task.ID, err)
		}
	}
	all.Tasks[queue] = tasks
}
