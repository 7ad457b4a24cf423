package main

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
)

const (
	headerBytes     = 16
	maxMessageBytes = 48_000_000 + headerBytes
	opMsg           = 2013
	moreToCome      = 1 << 1
)

var errBadLength = errors.New("a message of an impossible length")

// A front passes one command at a time to the server behind it, whichever client sent it.
//
// FerretDB changes a document in two steps, a query and a write: of two changes at the same time one is lost. MongoDB
// promises that none is, so commands take turns. FerretDB also answers a write that asked for no answer; that one ends
// here.
type front struct {
	behind string
	turn   sync.Mutex
}

func (f *front) serve(clients net.Listener) error {
	for {
		client, err := clients.Accept()
		if err != nil {
			return err
		}
		go f.pass(client)
	}
}

// pass gives each client a connection of its own; the end of one side is the end of the other.
func (f *front) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", f.behind)
	if err != nil {
		return
	}
	defer server.Close()
	for {
		request, err := message(client)
		if err != nil {
			return
		}
		answer, err := f.ask(server, request)
		if err != nil {
			return
		}
		if wantsNoAnswer(request) {
			continue
		}
		if _, err = client.Write(answer); err != nil {
			return
		}
	}
}

func (f *front) ask(server net.Conn, request []byte) ([]byte, error) {
	f.turn.Lock()
	defer f.turn.Unlock()
	if _, err := server.Write(request); err != nil {
		return nil, err
	}
	return message(server)
}

// message reads one whole message: its length comes first, in four bytes.
func message(from net.Conn) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(length[:])
	if size < headerBytes || size > maxMessageBytes {
		return nil, errBadLength
	}
	whole := make([]byte, size)
	copy(whole, length[:])
	_, err := io.ReadFull(from, whole[len(length):])
	return whole, err
}

func wantsNoAnswer(request []byte) bool {
	if len(request) < headerBytes+4 || binary.LittleEndian.Uint32(request[12:]) != opMsg {
		return false
	}
	return binary.LittleEndian.Uint32(request[headerBytes:])&moreToCome != 0
}
