// Command mongo is a server that speaks MongoDB's protocol over SQLite files, for tests on machines without a mongod.
//
// It embeds FerretDB, listens on 127.0.0.1 only, sends nothing anywhere and answers a write when SQLite has synced it.
// Once it listens it prints one line with its address. It ends on SIGTERM and on SIGINT.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// Clients that stay connected would hold up a stop for seconds; what is answered is on the disk by then.
const goodbye = 200 * time.Millisecond

func main() {
	port := flag.Int("port", 0, "loopback TCP port; 0 takes a free one")
	data := flag.String("data", "", "existing folder for the data")
	flag.Parse()
	if err := serve(*port, *data); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(port int, data string) error {
	clients, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer clients.Close()
	server, err := embedded(data)
	if err != nil {
		return err
	}
	ending, restore := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer restore()
	ended := make(chan error, 2)
	go func() { ended <- server.Run(ending) }()
	behind, err := url.Parse(server.MongoDBURI())
	if err != nil {
		return err
	}
	go func() { ended <- (&front{behind: behind.Host}).serve(clients) }()
	fmt.Printf("mongo listens on mongodb://%s/\n", clients.Addr())
	select {
	case err = <-ended:
		return err
	case <-ending.Done():
	}
	select {
	case err = <-ended:
		return err
	case <-time.After(goodbye):
		return nil
	}
}

func embedded(data string) (*ferretdb.FerretDB, error) {
	if data == "" {
		return nil, errors.New("name the folder for the data with -data")
	}
	folder, err := filepath.Abs(data)
	if err != nil {
		return nil, err
	}
	files := url.URL{Scheme: "file", OmitHost: true, Path: folder + "/", RawQuery: pragmas().Encode()}
	return ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: "127.0.0.1:0"},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Handler:   "sqlite",
		SQLiteURL: files.String(),
	})
}

// The busy time-out comes first: it must be set before the journal is switched.
func pragmas() url.Values {
	return url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)"}}
}
