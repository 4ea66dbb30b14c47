//! The two ports: accepting connections, reading and recording requests, sending responses.

use super::super::ca::Identity;
use super::super::wire::{Request, pause};
use super::fault::{Delivery, End, Fault, Faults, afterwards};
use super::http::{Body, CHUNK, Incoming, Reader, Response, Socket, read_head};
use super::model::Model;
use super::{Port, Seen, Settings, api, data};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The state that both ports share.
pub struct Server {
    pub api: String,
    pub data: String,
    pub addresses: [SocketAddr; 2],
    pub stop: AtomicBool,
    pub settings: Mutex<Settings>,
    pub model: Mutex<Model>,
    pub faults: Faults,
    pub log: Mutex<Log>,
    pub violations: Mutex<Vec<String>>,
    /// The number of requests at the data port now, and its maximum so far.
    pub busy: [AtomicUsize; 2],
    pub dir: tempfile::TempDir,
    sockets: Mutex<HashMap<usize, TcpStream>>,
    pub connections: AtomicUsize,
}

impl Server {
    /// Listens on two ports and starts the threads.
    pub fn start(api: Option<Identity>, data: Option<Identity>) -> Arc<Self> {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = [0, 1].map(|index| listeners[index].local_addr().unwrap());
        let url = |identity: &Option<Identity>, address| {
            format!("{}://{address}", if identity.is_some() { "https" } else { "http" })
        };
        let server = Arc::new(Self {
            api: url(&api, addresses[0]),
            data: url(&data, addresses[1]),
            addresses,
            stop: AtomicBool::new(false),
            settings: Mutex::default(),
            model: Mutex::default(),
            faults: Faults::default(),
            log: Mutex::default(),
            violations: Mutex::default(),
            busy: [AtomicUsize::new(0), AtomicUsize::new(0)],
            dir: tempfile::tempdir().unwrap(),
            sockets: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let identities = [api, data].map(|identity| identity.map(Identity::server_config));
        let ports = [Port::Api, Port::Data];
        for ((listener, tls), port) in listeners.into_iter().zip(identities).zip(ports) {
            let server = Arc::clone(&server);
            thread::spawn(move || server.accept(&listener, tls.as_ref(), port));
        }
        server
    }

    /// Ends all threads, whether they wait for a connection, for data, or for time to pass.
    pub fn end(&self) {
        self.stop.store(true, Ordering::SeqCst);
        for address in self.addresses {
            let _ = TcpStream::connect(address);
        }
        for socket in self.sockets.lock().unwrap().values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        // Removed here, because a thread may still hold the last reference when the process ends.
        let _ = std::fs::remove_dir_all(self.dir.path());
    }

    /// Records that a client did something forbidden.
    pub fn violation(&self, what: String) {
        self.violations.lock().unwrap().push(what);
    }

    fn accept(self: Arc<Self>, listener: &TcpListener, tls: Option<&Arc<ServerConfig>>, port: Port) {
        for stream in listener.incoming() {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let Ok(copy) = stream.try_clone() else { continue };
            let _ = stream.set_nodelay(true);
            let _ = stream.set_write_timeout(Some(Duration::from_secs(60)));
            let number = self.connections.fetch_add(1, Ordering::SeqCst);
            self.sockets.lock().unwrap().insert(number, copy);
            let socket = match tls {
                Some(config) => {
                    let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                    Socket::Tls(Box::new(StreamOwned::new(connection, stream)))
                }
                None => Socket::Plain(stream),
            };
            let server = Arc::clone(&self);
            thread::spawn(move || {
                server.serve(socket, port, number);
                server.sockets.lock().unwrap().remove(&number);
            });
        }
    }

    fn serve(&self, socket: Socket, port: Port, number: usize) {
        let mut reader = BufReader::with_capacity(CHUNK, socket);
        let end = loop {
            let Some(request) = read_head(&mut reader) else { break End::HangUp };
            if port == Port::Data {
                let busy = self.busy[0].fetch_add(1, Ordering::SeqCst) + 1;
                self.busy[1].fetch_max(busy, Ordering::SeqCst);
            }
            let end = self.exchange(&mut reader, request, port);
            if port == Port::Data {
                self.busy[0].fetch_sub(1, Ordering::SeqCst);
            }
            match end {
                Ok(None) => {}
                Ok(Some(end)) => break end,
                // The client closed the connection, or the server ends.
                Err(_) => break End::HangUp,
            }
        };
        // The copy must be dropped first: a reset is only sent when the last copy is closed.
        self.sockets.lock().unwrap().remove(&number);
        match end {
            End::HangUp => reader.into_inner().close(),
            End::Reset => {
                // Gives the sent bytes time to arrive.
                pause(Duration::from_millis(30), &self.stop);
                reader.into_inner().reset();
            }
            End::Silence => self.wait(),
        }
    }

    fn wait(&self) {
        pause(Duration::from_secs(600), &self.stop);
    }

    /// Reads the rest of one request and responds; returns how the connection ends, if it does.
    fn exchange(&self, reader: &mut Reader, mut request: Request, port: Port) -> io::Result<Option<End>> {
        let index = self.write_down(&request, port);
        let fault = self.faults.take(&request);
        if request.header("transfer-encoding").is_some() {
            let refusal = Response::error(411, "Content-Length is needed");
            return self.send(reader.get_mut(), &request, &refusal, None, true);
        }
        let hashed = !self.settings.lock().unwrap().trusting;
        let mut body = Incoming::new(reader, &request, hashed);
        if let Some(fault) = &fault {
            fault.prepare(&mut request, &mut body);
        }
        match &fault {
            Some(Fault::Close) => return Ok(Some(End::HangUp)),
            Some(Fault::Mute) => return Ok(Some(End::Silence)),
            Some(Fault::Meanwhile(hook)) => (hook.0)(),
            Some(Fault::Held(gate)) => gate.pass(&self.stop),
            _ => {}
        }
        let answered = self.answer(&request, &mut body, port, fault.as_ref(), index);
        self.complete(index, &body);
        let mut response = match (answered, &fault) {
            (Ok(response), _) => response,
            (Err(_), Some(Fault::BreakUpload(_))) => return Ok(Some(End::Reset)),
            (Err(_), Some(Fault::StallUpload(_))) => return Ok(Some(End::Silence)),
            (Err(error), _) => return Err(error),
        };
        let close = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if let Some(fault) = &fault {
            fault.change(&mut response);
        }
        self.log.lock().unwrap().change(index, |seen| seen.status = Some(response.status));
        self.send(reader.get_mut(), &request, &response, fault.as_ref(), close)
    }

    fn answer(
        &self,
        request: &Request,
        body: &mut Incoming,
        port: Port,
        fault: Option<&Fault>,
        index: usize,
    ) -> io::Result<Response> {
        let response = match (fault.and_then(Fault::answer), port) {
            (Some(response), _) if matches!(fault, Some(Fault::Early(..))) => return Ok(response),
            (Some(response), _) => response,
            (None, Port::Api) => api::answer(self, request, body, &mut |text| {
                self.log.lock().unwrap().change(index, |seen| seen.request.body = text.to_vec());
            })?,
            (None, Port::Data) => data::answer(self, request, body)?,
        };
        body.finish()?;
        Ok(response)
    }

    fn send(
        &self,
        to: &mut Socket,
        request: &Request,
        response: &Response,
        fault: Option<&Fault>,
        close: bool,
    ) -> io::Result<Option<End>> {
        let length = response.body.len();
        let delivery = Delivery::new(fault, length, &self.stop);
        let end = afterwards(fault, close || matches!(fault, Some(Fault::Endless)));
        let told = (!matches!(fault, Some(Fault::Endless))).then_some(length);
        response.write_head(to, end.is_none(), told)?;
        if request.method == "HEAD" {
            return Ok(end);
        }
        response.write_body(to, &delivery)?;
        match fault {
            Some(Fault::Longer(more)) => {
                let more = Response::new(200, "", Body::Filled("", b'+', *more, ""));
                more.write_body(to, &Delivery::new(None, 0, &self.stop))?;
            }
            Some(Fault::Endless) => {
                while !self.stop.load(Ordering::SeqCst) {
                    to.write_all(&[b' '; 65536])?;
                }
            }
            _ => {}
        }
        Ok(end)
    }

    fn write_down(&self, request: &Request, port: Port) -> usize {
        if port == Port::Data && request.header("authorization").is_some() {
            self.violation(format!("Authorization at the data port: {} {}", request.method, request.path));
        }
        self.log.lock().unwrap().add(Seen {
            port,
            request: request.clone(),
            length: 0,
            sha256: None,
            status: None,
        })
    }

    fn complete(&self, index: usize, body: &Incoming) {
        self.log.lock().unwrap().change(index, |seen| {
            (seen.length, seen.sha256) = (body.received(), body.sha256());
        });
    }
}

/// The requests so far, numbered so that the numbers do not change when earlier requests are forgotten.
#[derive(Default)]
pub struct Log {
    forgotten: usize,
    pub seen: Vec<Seen>,
}

impl Log {
    /// Forgets all requests, including those in progress.
    pub fn forget(&mut self) {
        self.forgotten += self.seen.len();
        self.seen.clear();
    }

    fn add(&mut self, seen: Seen) -> usize {
        self.seen.push(seen);
        self.forgotten + self.seen.len() - 1
    }

    fn change(&mut self, number: usize, change: impl FnOnce(&mut Seen)) {
        if let Some(seen) = number.checked_sub(self.forgotten).and_then(|index| self.seen.get_mut(index)) {
            change(seen);
        }
    }
}
