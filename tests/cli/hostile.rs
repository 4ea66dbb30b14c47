//! Hostile servers, in one table. Whatever they do, a login ends in bounded time and memory, names the server,
//! stores nothing and sends the token to no other server. The figures are printed.

use crate::peers::ca::{Ca, Identity};
use crate::peers::endpoint::{Behaviour, DISCOVERY, Endpoint, TOKEN_STATUS};
use crate::real::daemon::installed;
use crate::world::{As, Shown, World, finish};
use rustix::net::sockopt::set_socket_linger;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const TOKEN: &str = "canary-t0ken";
/// Upper limit for any row, in seconds. The longest wait of a login is twice ten seconds.
const PATIENCE: &str = "40";
/// Upper limit in KiB. Above what a successful login takes, but far below the amount of data that the servers
/// send.
const MEMORY: u64 = 48 << 10;
/// Runs a program and prints its peak size in KiB after its own output.
pub const MEASURE: &str = "import os,resource,sys
status = os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:])
print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)";

pub struct Figures {
    pub shown: Shown,
    pub time: Duration,
    /// In KiB; `None` if it could not be measured.
    pub memory: Option<u64>,
}

/// Runs `remote login` to an endpoint at `url` in its own process.
fn login(url: &str, ca: Option<&Ca>, insecure: bool) -> Figures {
    let world = World::new();
    world.install();
    let host = url.split_once("://").unwrap().1;
    let flag = if insecure { "        Insecure: true\n" } else { "" };
    world.write_user(format!(
        "
Active: lab
Remotes:
    lab:
        URI: //{host}
        System: false
        Exclusive: false
{flag}Credentials: []
"
    ));
    let before = world.user();
    std::fs::write(world.path("token"), TOKEN).unwrap();
    let token = world.path("token");
    let mut command =
        measured(&world, PATIENCE, &["-d", "remote", "login", "lab", "--tokenfile", token.to_str().unwrap()]);
    if let Some(ca) = ca {
        ca.write(&world.path("ca.pem"));
        command.env("SSL_CERT_FILE", world.path("ca.pem"));
    }
    let figures = figures(&mut command);
    assert_eq!(world.user(), before, "nothing was stored");
    figures
}

/// The program as a measured process, which is ended after `patience` seconds.
pub fn measured(world: &World, patience: &str, args: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", MEASURE, "/usr/bin/timeout", patience]).arg(world.exe()).args(args);
    command.env_clear().envs(world.environment().iter()).current_dir(world.home());
    command
}

/// Runs a measured process.
pub fn figures(command: &mut Command) -> Figures {
    let begun = Instant::now();
    let mut shown = finish(command);
    let time = begun.elapsed();
    let memory = shown.stderr.rsplit_once("peak ").and_then(|(_, kib)| kib.trim().parse().ok());
    shown.stderr = shown.stderr.rsplit_once("peak ").map_or(String::new(), |(said, _)| said.to_string());
    Figures { shown, time, memory }
}

/// Checks a row against the limits for all rows, and prints its figures.
fn judge(name: &str, url: &str, figures: &Figures, words: &str) {
    let Figures { shown, time, memory } = figures;
    let memory = memory.expect("it was measured");
    println!("{name:<44} {:>6.2} s {:>7.1} MiB", time.as_secs_f64(), memory as f64 / 1024.0);
    let fatal = shown.stderr.lines().find(|line| line.starts_with("FATAL:")).unwrap_or_default();
    assert_eq!(shown.code, 255, "{name}: {shown:#?}");
    let all = format!("{fatal} {}", shown.stderr);
    assert!(
        all.contains(url.split_once("://").unwrap().1),
        "{name}: the message lacks the server: {shown:#?}"
    );
    assert!(all.contains(words), "{name}: the message lacks {words:?}: {shown:#?}");
    assert!(!shown.stderr.contains(TOKEN) && !shown.stdout.contains(TOKEN), "{name}: {shown:#?}");
    assert!(!shown.stderr.contains('\x1b'), "{name}: terminal escapes in the output");
    assert!(memory < MEMORY, "{name}: {memory} KiB");
}

/// A server that sends one response and closes the connection, normally or (`reset`) with a reset. It reads the
/// request only if told to.
fn raw(answer: Vec<u8>, read: bool, reset: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().take(20) {
            let Ok(mut stream) = stream else { continue };
            if read {
                let _ = stream.read(&mut [0; 4096]);
            }
            let _ = stream.write_all(&answer);
            if reset {
                let _ = set_socket_linger(&stream, Some(Duration::ZERO));
            }
        }
    });
    address
}

/// What an endpoint does at one stage of a login, and the expected message.
fn rows() -> Vec<(&'static str, Behaviour, &'static str)> {
    let raw = |text: &str| Behaviour::Raw(text.as_bytes().to_vec());
    let head = "HTTP/1.1 200 OK\r\n";
    let headers: String = (0..10_000).map(|i| format!("X-{i}: y\r\n")).collect();
    let long = "y".repeat(1 << 20);
    // Eleven bytes that decompress to much more, although the client did not ask for compression.
    let mut bomb = format!("{head}Content-Encoding: gzip\r\nContent-Length: 11\r\n\r\n").into_bytes();
    bomb.extend([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0x4b]);
    vec![
        ("an answer without end", Behaviour::Endless, "longer than"),
        ("no answer", Behaviour::Silent, "timed out after"),
        ("a byte now and then", Behaviour::Drip(Duration::from_millis(300)), "timed out after"),
        ("a redirect to itself", Behaviour::Redirect(302, "?".into()), "the server redirects"),
        (
            "a redirect to a file",
            Behaviour::Redirect(302, "file:///etc/passwd".into()),
            "the server redirects to an unsupported address",
        ),
        ("a redirect to nowhere", Behaviour::Redirect(302, "http://[".into()), "invalid address"),
        ("a redirect with a line break in it", raw("HTTP/1.1 302 X\r\nLocation: /a\rX: b\r\n\r\n"), ""),
        ("a redirect with an escaped line break", Behaviour::Redirect(302, "/a%0d%0aX:%20b".into()), ""),
        ("10,000 headers", raw(&format!("{head}{headers}\r\n{{}}")), ""),
        ("a header of 1 MiB", raw(&format!("{head}X: {long}\r\n\r\n{{}}")), ""),
        ("a status line of 1 MiB", raw(&format!("HTTP/1.1 200 {long}\r\n\r\n{{}}")), ""),
        ("a bomb", Behaviour::Raw(bomb), ""),
        ("HTML", Behaviour::Body(200, "text/html", "<html>\x1b[2J".into()), ""),
        ("JSON nested without end", Behaviour::Json(200, "[".repeat(500_000)), ""),
        ("the end in the status line", raw("HTTP/1."), ""),
        ("the end in a header", raw(&format!("{head}Content-Le")), ""),
        ("the end in the body", raw(&format!("{head}Content-Length: 9\r\n\r\n{{")), "closed the connection"),
        ("a length of less than nothing", raw(&format!("{head}Content-Length: -1\r\n\r\n{{}}")), ""),
        ("two lengths", raw(&format!("{head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}")), ""),
        (
            "a chunk of 16 EiB",
            raw(&format!("{head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n")),
            "",
        ),
        (
            "a failure with the token in it",
            Behaviour::Json(500, format!("{{\"message\":\"{TOKEN}\\u001b[2J\"}}")),
            "500",
        ),
    ]
}

#[test]
fn hostile_responses_at_both_stages_of_a_login_are_harmless() {
    if !installed(&["python3"]) {
        return;
    }
    let work: Vec<_> = [DISCOVERY, TOKEN_STATUS]
        .into_iter()
        .flat_map(|path| {
            rows().into_iter().map(move |(name, behaviour, words)| (path, name, behaviour, words))
        })
        // For the token service, any 200 means that the token is valid, whatever the body is.
        .filter(|(path, name, ..)| {
            let yes = ["a bomb", "HTML", "JSON nested without end", "10,000 headers"];
            // The server of the discovery document has not seen the token yet.
            let knows = *name == "a failure with the token in it";
            if *path == DISCOVERY { !knows } else { !yes.contains(name) }
        })
        .collect();
    // The rows with timeouts run in parallel.
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((path, name, behaviour, words)) =
                    work.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let endpoint = Endpoint::http();
                    endpoint.accept_token(TOKEN);
                    endpoint.set(path, behaviour.clone());
                    let figures = login(&endpoint.url(), None, true);
                    let stage = if *path == DISCOVERY { "discovery" } else { "token" };
                    judge(&format!("{stage}: {name}"), &endpoint.url(), &figures, words);
                }
            });
        }
    });
}

#[test]
fn connections_closed_at_any_stage_are_reported() {
    if !installed(&["python3"]) {
        return;
    }
    let begun = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec();
    // Nothing, something that is not TLS, and the beginning of a handshake.
    let answers = [Vec::new(), b"nonsense\r\n\r\n".to_vec(), vec![22, 3, 3, 0, 80, 2, 0, 0, 76, 3, 3], begun];
    for scheme in ["http", "https"] {
        for answer in &answers {
            for (read, reset) in [(false, false), (false, true), (true, false), (true, true)] {
                let url = format!("{scheme}://{}", raw(answer.clone(), read, reset));
                let figures = login(&url, None, scheme == "http");
                let how = format!("{scheme}, {} bytes, read {read}, reset {reset}", answer.len());
                judge(&how, &url, &figures, "");
            }
        }
    }
}

#[test]
fn invalid_tls_is_refused() {
    if !installed(&["python3"]) {
        return;
    }
    let ca = Ca::generate();
    let table = [
        ("expired", ca.expired(), "has expired"),
        ("not valid yet", ca.not_yet_valid(), "not valid yet"),
        ("for another name", ca.identity_for("other.example"), "is for a different host name"),
        ("self-signed", Identity::self_signed(false), "self-signed"),
        ("self-signed and expired", Identity::expired_authority(), "the server's certificate"),
        ("and a wish for ours", ca.identity().for_clients_of(&ca), "requires a client certificate"),
        ("of an unknown authority", Ca::generate().identity(), "unknown authority"),
    ];
    for (name, identity, words) in table {
        let endpoint = Endpoint::https(identity);
        endpoint.accept_token(TOKEN);
        let figures = login(&endpoint.url(), Some(&ca), false);
        judge(&format!("a certificate {name}"), &endpoint.url(), &figures, words);
        assert!(endpoint.requests().is_empty(), "no byte of a request was sent");
    }
}

#[test]
fn outdated_tls_is_refused() {
    if !installed(&["python3", "openssl"]) {
        return;
    }
    let (ca, dir) = (Ca::generate(), tempfile::tempdir().unwrap());
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    ca.identity().write_with_key(&certificate, &key);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new("/usr/bin/openssl")
        .args(["s_server", "-quiet", "-www", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-accept"])
        .arg(format!("127.0.0.1:{port}"))
        .arg("-cert")
        .arg(&certificate)
        .arg("-key")
        .arg(&key)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed by tests/run");
    let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    for _ in 0..200 {
        if listens() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let url = format!("https://127.0.0.1:{port}");
    let figures = login(&url, Some(&ca), false);
    judge("TLS 1.1", &url, &figures, "TLS");
    let _ = server.kill();
    let _ = server.wait();
}

#[test]
fn the_memory_measurement_works() {
    if !installed(&["python3"]) {
        return;
    }
    let endpoint = Endpoint::http();
    endpoint.accept_token(TOKEN);
    let world = World::new();
    world.write_user(format!(
        "
Active: lab
Remotes:
    lab:
        URI: //{}
        System: false
        Exclusive: false
        Insecure: true
",
        endpoint.host()
    ));
    world.pipe(format!("{TOKEN}\n"));
    world.run(As::Root, &["remote", "login", "lab"]).exits(0);
    let mut hungry = Command::new("/usr/bin/python3");
    hungry.args(["-c", MEASURE, "/usr/bin/python3", "-c", "x = b'x' * (100 << 20)"]);
    let shown = finish(&mut hungry);
    let kib: u64 = shown.stderr.rsplit_once("peak ").unwrap().1.trim().parse().unwrap();
    assert!(kib > MEMORY, "{kib} KiB");
}
