package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// maxLine bounds one request: a payload of some MiB in base64.
const maxLine = 64 << 20

// task is what a test asks to be enqueued. A nil pointer means that the option is not given at all.
type task struct {
	Type      string            `json:"type"`
	Payload   []byte            `json:"payload"`
	Headers   map[string]string `json:"headers"`
	Queue     *string           `json:"queue"`
	TaskID    *string           `json:"task_id"`
	MaxRetry  *int              `json:"max_retry"`
	Timeout   *float64          `json:"timeout"`
	Deadline  *int64            `json:"deadline_ns"`
	UniqueFor *float64          `json:"unique_for"`
	ProcessAt *int64            `json:"process_at_ns"`
	ProcessIn *float64          `json:"process_in"`
	Retention *float64          `json:"retention"`
	Group     *string           `json:"group"`
}

func (t *task) options() []asynq.Option {
	var options []asynq.Option
	if t.Queue != nil {
		options = append(options, asynq.Queue(*t.Queue))
	}
	if t.TaskID != nil {
		options = append(options, asynq.TaskID(*t.TaskID))
	}
	if t.MaxRetry != nil {
		options = append(options, asynq.MaxRetry(*t.MaxRetry))
	}
	if t.Timeout != nil {
		options = append(options, asynq.Timeout(seconds(*t.Timeout)))
	}
	if t.Deadline != nil {
		options = append(options, asynq.Deadline(time.Unix(0, *t.Deadline)))
	}
	if t.UniqueFor != nil {
		options = append(options, asynq.Unique(seconds(*t.UniqueFor)))
	}
	if t.ProcessAt != nil {
		options = append(options, asynq.ProcessAt(time.Unix(0, *t.ProcessAt)))
	}
	if t.ProcessIn != nil {
		options = append(options, asynq.ProcessIn(seconds(*t.ProcessIn)))
	}
	if t.Retention != nil {
		options = append(options, asynq.Retention(seconds(*t.Retention)))
	}
	if t.Group != nil {
		options = append(options, asynq.Group(*t.Group))
	}
	return options
}

// task carries its headers only when it has some, so that both constructors of asynq are exercised.
func (t *task) task(options ...asynq.Option) *asynq.Task {
	if t.Headers == nil {
		return asynq.NewTask(t.Type, t.Payload, options...)
	}
	return asynq.NewTaskWithHeaders(t.Type, t.Payload, t.Headers, options...)
}

// taskInfo is asynq.TaskInfo in the units of this protocol.
type taskInfo struct {
	ID            string            `json:"id"`
	Queue         string            `json:"queue"`
	Type          string            `json:"type"`
	Payload       []byte            `json:"payload"`
	Headers       map[string]string `json:"headers"`
	State         string            `json:"state"`
	MaxRetry      int               `json:"max_retry"`
	Retried       int               `json:"retried"`
	LastError     string            `json:"last_error"`
	LastFailedAt  int64             `json:"last_failed_at_ns"`
	Timeout       float64           `json:"timeout"`
	Deadline      int64             `json:"deadline_ns"`
	Group         string            `json:"group"`
	NextProcessAt int64             `json:"next_process_at_ns"`
	IsOrphaned    bool              `json:"is_orphaned"`
	Retention     float64           `json:"retention"`
	CompletedAt   int64             `json:"completed_at_ns"`
	Result        []byte            `json:"result"`
}

func describe(info *asynq.TaskInfo) taskInfo {
	return taskInfo{
		ID:            info.ID,
		Queue:         info.Queue,
		Type:          info.Type,
		Payload:       info.Payload,
		Headers:       info.Headers,
		State:         info.State.String(),
		MaxRetry:      info.MaxRetry,
		Retried:       info.Retried,
		LastError:     info.LastErr,
		LastFailedAt:  nanoseconds(info.LastFailedAt),
		Timeout:       info.Timeout.Seconds(),
		Deadline:      nanoseconds(info.Deadline),
		Group:         info.Group,
		NextProcessAt: nanoseconds(info.NextProcessAt),
		IsOrphaned:    info.IsOrphaned,
		Retention:     info.Retention.Seconds(),
		CompletedAt:   nanoseconds(info.CompletedAt),
		Result:        info.Result,
	}
}

func describeAll(infos []*asynq.TaskInfo) []taskInfo {
	described := make([]taskInfo, 0, len(infos))
	for _, info := range infos {
		described = append(described, describe(info))
	}
	return described
}

// failure is an error in a reply: its sentinel in asynq, if it wraps one, and its text.
type failure struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

func describeError(err error) *failure {
	if err == nil {
		return nil
	}
	sentinels := map[string]error{
		"ErrDuplicateTask":  asynq.ErrDuplicateTask,
		"ErrTaskIDConflict": asynq.ErrTaskIDConflict,
		"ErrQueueNotFound":  asynq.ErrQueueNotFound,
		"ErrQueueNotEmpty":  asynq.ErrQueueNotEmpty,
		"ErrTaskNotFound":   asynq.ErrTaskNotFound,
	}
	for name, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			return &failure{Name: name, Text: err.Error()}
		}
	}
	return &failure{Name: "error", Text: err.Error()}
}

func seconds(value float64) time.Duration { return time.Duration(value * float64(time.Second)) }

func nanoseconds(moment time.Time) int64 {
	if moment.IsZero() {
		return 0
	}
	return moment.UnixNano()
}

// writer serialises lines onto standard output.
type writer struct {
	lock    sync.Mutex
	encoder *json.Encoder
}

func newWriter() *writer { return &writer{encoder: json.NewEncoder(os.Stdout)} }

func (w *writer) write(line any) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if err := w.encoder.Encode(line); err != nil {
		fail(fmt.Errorf("interop: cannot report: %w", err))
	}
}

// readLines calls handle for every line of standard input and returns when it ends.
func readLines(handle func(line []byte) error) error {
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(make([]byte, 64<<10), maxLine)
	for scanner.Scan() {
		if err := handle(scanner.Bytes()); err != nil {
			return err
		}
	}
	return scanner.Err()
}

// parseArguments reads -redis and -config, and decodes the latter.
func parseArguments(arguments []string, config any) (asynq.RedisConnOpt, error) {
	flags := flag.NewFlagSet("interop", flag.ContinueOnError)
	url := flags.String("redis", "redis://127.0.0.1:6379", "where Redis is, as asynq.ParseRedisURI reads it")
	encoded := flags.String("config", "{}", "settings as JSON")
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	if config != nil {
		decoder := json.NewDecoder(strings.NewReader(*encoded))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(config); err != nil {
			return nil, fmt.Errorf("interop: bad -config: %w", err)
		}
	}
	return asynq.ParseRedisURI(*url)
}
