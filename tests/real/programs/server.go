// Go's net/http for tests: server PORT_FILE HTTP1_PORT_FILE KEY_FILE CERTIFICATE_FILE
// On the first port it speaks HTTP/2 and HTTP/1.1, on the second HTTP/1.1 only.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello")
	})
	// What is sent comes back, as it comes; the request's trailers come back as trailers.
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		buffer := make([]byte, 16384)
		for {
			n, err := r.Body.Read(buffer)
			if _, failed := w.Write(buffer[:n]); failed != nil {
				return
			}
			w.(http.Flusher).Flush()
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
		}
		for name, values := range r.Trailer {
			w.Header().Set(http.TrailerPrefix+name, strings.Join(values, ", "))
		}
		w.Header().Set(http.TrailerPrefix+"Checksum", "abc")
	})
	// What is sent comes back when all of it is there, and so do the trailers: HTTP/1.1 can do that, too.
	http.HandleFunc("/back", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		w.Write(body)
		for name, values := range r.Trailer {
			w.Header().Set(http.TrailerPrefix+name, strings.Join(values, ", "))
		}
		w.Header().Set(http.TrailerPrefix+"Checksum", "abc")
	})
	// With a length, and a trailer that is announced.
	http.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4")
		w.Header().Set("Trailer", "Checksum")
		fmt.Fprint(w, "body")
		w.Header().Set("Checksum", "abc")
	})
	http.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		for _, path := range []string{"/style.css", "/script.js"} {
			w.Header().Set("Link", "<"+path+">; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Del("Link")
		fmt.Fprint(w, "page")
	})
	http.HandleFunc("/push", func(w http.ResponseWriter, r *http.Request) {
		err := w.(http.Pusher).Push("/style.css", nil)
		w.Header().Set("X-Push", fmt.Sprint(err == nil))
		fmt.Fprint(w, "page")
	})
	http.HandleFunc("/style.css", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "style")
	})
	// How many bytes were sent. Go sends 100 Continue when the body is first read.
	http.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
		size, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, size)
	})
	// The request's header fields, a line each.
	http.HandleFunc("/fields", func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			fmt.Fprintf(w, "%s: %s\n", strings.ToLower(name), strings.Join(values, ", "))
		}
	})
	// Many short lines, each flushed: a DATA frame for each.
	http.HandleFunc("/lines", func(w http.ResponseWriter, r *http.Request) {
		for number := 0; number < 20000; number++ {
			fmt.Fprintf(w, "%05d\n", number)
			w.(http.Flusher).Flush()
		}
	})
	http.HandleFunc("/unwanted", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusExpectationFailed)
		fmt.Fprint(w, "no")
	})
	// Never answered.
	http.HandleFunc("/silent", func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	// An endless body, as fast as the client takes it.
	http.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 16384)
		for {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})

	http1 := &http.Server{TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	go serve(http1, os.Args[2])
	serve(&http.Server{}, os.Args[1])
}

// serve listens on a free port, writes its number to a file, and serves.
func serve(server *http.Server, portFile string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	port := fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(portFile+".new", []byte(port), 0o644); err != nil {
		panic(err)
	}
	if err := os.Rename(portFile+".new", portFile); err != nil {
		panic(err)
	}
	panic(server.ServeTLS(listener, os.Args[4], os.Args[3]))
}
