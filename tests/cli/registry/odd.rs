//! Token servers, and servers that are not registries.

use super::*;

#[test]
fn the_token_server_must_accept_the_password_and_the_registry_the_token() {
    let Some(tokens) = TokenServer::start("ada", PASSWORD) else { return };
    let Some(server) = Registry::token(&tokens) else { return };
    let (world, host) = (World::new(), server.host());
    login(&world, "-u ada", &host).exits(0).says("verified!");
    assert_eq!(server.requests(), ["GET /v2/ 401", "GET /v2/ 200"]);
    let asked: Vec<_> = tokens.requests().iter().map(|request| request.path.clone()).collect();
    assert_eq!(asked, [format!("{PATH}?account=ada&service=lab-service")]);

    let before = auth(&world);
    world.pipe("canary-wrong");
    let shown = registry(&world, &format!("login -u ada docker://{host}")).exits(255).never_shows("canary");
    assert!(
        shown.stderr.contains("Invalid Credentials") && shown.stderr.contains("/token: 401"),
        "{shown:?}"
    );

    // A token signed by another token server: the token server accepts the password, but the registry refuses
    // the token.
    let other = TokenServer::start("ada", PASSWORD).unwrap().token("ada");
    tokens.set(Behaviour::Json(200, format!(r#"{{"token":"{other}"}}"#)));
    login(&world, "-u ada", &host)
        .exits(255)
        .says("Invalid Credentials")
        .says("/v2/: 401")
        .never_shows(&other);
    for (behaviour, words) in [
        (Behaviour::Json(200, "{}".into()), "contains no token"),
        (Behaviour::Json(200, r#"{"token":"","access_token":null}"#.into()), "contains no token"),
        (Behaviour::Body(200, "text/html", "<html>canary".into()), "contains no token"),
        (Behaviour::Json(200, r#"{"token":"a\nb"}"#.into()), "characters that cannot be sent"),
        (Behaviour::Json(500, r#"{"details":"x"}"#.into()), "500 Internal Server Error"),
        (Behaviour::Endless, "longer than"),
        (Behaviour::Close, "closed the connection"),
        (Behaviour::Redirect(302, "http://127.0.0.1:1/".into()), "another server"),
    ] {
        tokens.set(behaviour.clone());
        let shown = login(&world, "-u ada", &host).exits(255);
        assert!(shown.stderr.contains(words) || shown.stderr.contains("refused"), "{behaviour:?}: {shown:?}");
    }
    assert_eq!(auth(&world), before);
}

/// A registry with a single response, for behaviour that a real one would not show.
fn odd(world: &World, behaviour: Behaviour) -> crate::world::Shown {
    let server = Endpoint::http();
    server.set("/v2/", behaviour);
    let shown = login(world, "-u ada", &server.host()).exits(255);
    assert!(server.requests().iter().all(|request| request.header("authorization").is_none()), "{shown:?}");
    shown
}

fn challenge(headers: &[&str]) -> Behaviour {
    let lines: String = headers.iter().map(|header| format!("WWW-Authenticate: {header}\r\n")).collect();
    Behaviour::Raw(
        format!("HTTP/1.1 401 X\r\n{lines}Connection: close\r\nContent-Length: 0\r\n\r\n").into_bytes(),
    )
}

#[test]
fn a_server_that_is_not_a_registry_gets_no_password() {
    let world = World::new();
    for (behaviour, words) in [
        (challenge(&[]), "does not say how (no WWW-Authenticate header)"),
        (challenge(&["Negotiate", "Digest realm=\"x\""]), "it requires negotiate, digest"),
        (challenge(&["Bearer realm=\"x"]), "malformed: a quoted value is not terminated"),
        (challenge(&["Bearer service=x"]), "its challenge has no realm"),
        (challenge(&["Bearer realm=\"https://10.0.0.1/t\""]), "private network"),
        (challenge(&["Bearer realm=\"http://auth.example.com/t\""]), "is not https"),
        (challenge(&["Bearer realm=\"file:///etc/passwd\""]), "is not a valid address"),
        (challenge(&["Bearer realm=\"https://127.0.0.1:1/t\",realm=\"x\""]), "a parameter is repeated"),
        (Behaviour::Body(200, "text/html; charset=utf-8", "<html>".into()), "a web page, not a registry's"),
        (Behaviour::Json(404, "{}".into()), "404 Not Found"),
        (Behaviour::Json(403, "{}".into()), "403 Forbidden"),
        (Behaviour::Json(429, "{}".into()), "429 Too Many Requests"),
        (Behaviour::Json(500, "{}".into()), "500 Internal Server Error"),
        (Behaviour::Close, "closed the connection"),
        (Behaviour::Silent, "timed out after"),
        (Behaviour::Endless, "longer than"),
        (Behaviour::Redirect(302, "http://localhost:1/v2/".into()), "refused"),
        (Behaviour::Raw(b"SSH-2.0-x\r\n".to_vec()), "not HTTP"),
    ] {
        world.waits_for(&behaviour);
        let shown = odd(&world, behaviour);
        assert!(shown.stderr.contains(words), "{words}: {shown:?}");
        assert!(shown.stderr.starts_with("FATAL:   while login to docker://127.0.0.1:"), "{shown:?}");
    }
    assert_eq!((auth(&world), world.user()), (String::new(), String::new()));
}

#[test]
fn the_first_known_challenge_is_used() {
    let world = World::new();
    let server = Endpoint::answering(|_| (200, "{}".into()));
    server.set("/v2/", challenge(&["Negotiate, Basic realm=\"a\"", "Bearer realm=\"https://10.0.0.1\""]));
    let shown = login(&world, "-u ada", &server.host()).exits(255).says("Invalid Credentials");
    let sent: Vec<_> =
        server.requests().iter().map(|request| request.header("authorization").map(String::from)).collect();
    assert_eq!(sent, [None, Some("Basic YWRhOmNhbmFyeSBwOnc=".to_string())], "{shown:?}");
}

#[test]
fn an_unreachable_registry_is_reported() {
    let world = World::new();
    login(&world, "-u ada", "127.0.0.1:1").exits(255).says("https://127.0.0.1:1/v2/: connection refused");
    login(&world, "-u ada", &format!("{}.test", "x".repeat(64))).exits(255).says("host not found");
    // Another machine: http is never tried unless requested.
    login(&world, "-u ada", "192.0.2.1:9").exits(255).never_shows("http://192");
}

#[test]
fn an_html_page_does_not_confirm_a_login() {
    let server = Endpoint::answering(|_| (200, "{}".into()));
    let world = World::new();
    let page =
        "HTTP/1.1 200 X\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>";
    server.set("/login", Behaviour::Raw(page.into()));
    server.set("/v2/", Behaviour::Redirect(302, "/login".into()));
    login(&world, "-u ada", &server.host())
        .exits(255)
        .says("a web page, not a registry's")
        .says("curl -si http://");
    assert_eq!(auth(&world), "");
}

#[test]
fn a_slow_https_registry_is_waited_for() {
    use std::io::{Read, Write};
    // A listener that responds to http immediately, as real TLS servers do, and to TLS after a delay.
    let ca = Ca::generate();
    let Some(server) = Registry::basic_tls(&[("ada", PASSWORD)], &ca) else { return };
    let (world, file) = (World::new(), "ca.crt");
    ca.write(&world.path(file));
    let front = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (port, behind) = (front.local_addr().unwrap().port(), server.host());
    std::thread::spawn(move || {
        for stream in front.incoming() {
            let (mut stream, behind) = (stream.unwrap(), behind.clone());
            std::thread::spawn(move || {
                let mut first = [0; 1];
                if stream.peek(&mut first).is_ok() && first[0] == 0x16 {
                    std::thread::sleep(std::time::Duration::from_millis(700));
                }
                let mut other = std::net::TcpStream::connect(behind).unwrap();
                let (mut from, mut to) = (other.try_clone().unwrap(), stream.try_clone().unwrap());
                let back = std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    if other.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                let _ = other.shutdown(std::net::Shutdown::Write);
                let _ = back.join();
            });
        }
    });
    let options = format!("-u ada --ca-file {}", world.path(file).display());
    login(&world, &options, &format!("127.0.0.1:{port}")).exits(0).says("verified!");
    login(&world, &format!("{options} --insecure"), &format!("127.0.0.1:{port}")).exits(0).says("verified!");
    let empty = world.path("empty");
    fs::write(&empty, "").unwrap();
    login(&world, &format!("-u ada --ca-file {}", empty.display()), &server.host())
        .exits(255)
        .says("contains no PEM certificate");
}

#[test]
fn failures_after_the_tls_handshake_do_not_lead_to_http() {
    let ca = Ca::generate();
    let world = World::new();
    ca.write(&world.path("ca.crt"));
    for behaviour in [Behaviour::Close, Behaviour::Raw(b"SSH-2.0-x\r\n".to_vec())] {
        let server = Endpoint::https(ca.identity());
        server.set("/v2/", behaviour);
        let shown =
            login(&world, &format!("-u ada --ca-file {}", world.path("ca.crt").display()), &server.host());
        assert!(
            shown.stderr.starts_with(&format!(
                "FATAL:   while login to docker://{0}: https://{0}/v2/",
                server.host()
            )),
            "{shown:?}"
        );
    }
}
