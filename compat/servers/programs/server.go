// Go's net/http: server PORT_FILE KEY_FILE CERTIFICATE_FILE, with the files in the directory SITE_ROOT.
// At SIGHUP the connections are drained, and others serve those that come.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	root := os.Getenv("SITE_ROOT")
	for _, name := range []string{"small", "large", "text"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		check(err)
		http.HandleFunc("/"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			w.Write(content)
		})
	}
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		hash := sha256.New()
		length, err := io.Copy(hash, r.Body)
		if err != nil {
			return
		}
		trailers := map[string]string{}
		for name := range r.Trailer {
			if value := r.Trailer.Get(name); value != "" {
				trailers[strings.ToLower(name)] = value
			}
		}
		json.NewEncoder(w).Encode(map[string]interface{}{
			"length": length, "sha256": fmt.Sprintf("%x", hash.Sum(nil)), "trailers": trailers})
	})
	http.HandleFunc("/fields", func(w http.ResponseWriter, r *http.Request) {
		count := 0
		for name := range r.Header {
			if strings.HasPrefix(name, "X-Many-") {
				count++
			}
		}
		json.NewEncoder(w).Encode(map[string]int{"count": count})
	})
	http.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Checksum")
		fmt.Fprint(w, "body")
		w.Header().Set("Checksum", "abc")
	})
	http.HandleFunc("/refuse", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	port := fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	check(os.WriteFile(os.Args[1]+".new", []byte(port), 0o644))
	check(os.Rename(os.Args[1]+".new", os.Args[1]))
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	for {
		file, err := listener.(*net.TCPListener).File() // stays open when the server closes its own
		check(err)
		server := &http.Server{}
		go server.ServeTLS(listener, os.Args[3], os.Args[2])
		<-reload
		listener, err = net.FileListener(file)
		check(err)
		go server.Shutdown(context.Background())
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
