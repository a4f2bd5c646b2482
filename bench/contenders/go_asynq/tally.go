package main

import (
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	slots          = 4096
	slotWidth      = 3
	headerIntegers = slots * slotWidth
)

// tally is the writing side of ../shared/tally.py.
type tally struct {
	mutex    sync.Mutex
	integers []int64
	slot     int
}

func openTally(path string) (*tally, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	bytes, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	integers := unsafe.Slice((*int64)(unsafe.Pointer(&bytes[0])), len(bytes)/8)
	return &tally{integers: integers, slot: os.Getpid() % slots * slotWidth}, nil
}

// hit counts task number n, which asked for, or was written at, sentNs.
func (t *tally) hit(n int, sentNs int64) {
	nowNs := time.Now().UnixNano()
	t.mutex.Lock()
	if t.integers[t.slot] == 0 {
		t.integers[t.slot+1] = nowNs
	}
	t.integers[t.slot]++
	t.integers[t.slot+2] = nowNs
	t.mutex.Unlock()
	if headerIntegers+n < len(t.integers) {
		delayNs := nowNs - sentNs
		if delayNs == 0 {
			delayNs = 1 // 0 says that the task never started
		}
		t.integers[headerIntegers+n] = delayNs
	}
}
