// A TCP proxy that holds back every byte for a fixed time in each direction, without limiting the throughput.
//
// Usage: delay_proxy LISTEN TARGET DELAY, for example: delay_proxy 127.0.0.1:7001 127.0.0.1:6379 500us
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	chunkBytes    = 256 * 1024
	chunksWaiting = 4096
)

// chunk is what one read returned, and when it may go on.
type chunk struct {
	bytes []byte
	due   time.Time
}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	delay, err := time.ParseDuration(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		server, err := net.Dial("tcp", os.Args[2])
		if err != nil {
			log.Print(err)
			client.Close()
			continue
		}
		go pump(client, server, delay)
		go pump(server, client, delay)
	}
}

// pump moves bytes one way until either side closes.
func pump(from, to net.Conn, delay time.Duration) {
	defer from.Close()
	defer to.Close()
	if delay == 0 {
		io.Copy(to, from)
		return
	}
	chunks := make(chan chunk, chunksWaiting)
	go deliver(chunks, from, to)
	defer close(chunks)
	buffer := make([]byte, chunkBytes)
	for {
		count, err := from.Read(buffer)
		if count > 0 {
			chunks <- chunk{append([]byte(nil), buffer[:count]...), time.Now().Add(delay)}
		}
		if err != nil {
			return
		}
	}
}

// deliver writes each chunk when it is due. It sleeps in the kernel, on a thread of its own: Go's timers round a wait
// of half a millisecond up to a whole one.
func deliver(chunks <-chan chunk, from, to net.Conn) {
	runtime.LockOSThread()
	failed := false
	for next := range chunks {
		if wait := time.Until(next.due); wait > 0 {
			duration := syscall.NsecToTimespec(int64(wait))
			syscall.Nanosleep(&duration, nil)
		}
		if failed {
			continue
		}
		if _, err := to.Write(next.bytes); err != nil {
			failed = true
			from.Close()
		}
	}
}
