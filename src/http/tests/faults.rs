//! Servers that do not respond, respond slowly, send too much, or send garbage.

use super::*;
use crate::http::HttpErrorKind;
use crate::peers::endpoint::Behaviour;
use std::net::TcpListener;

fn misbehaving(behaviour: Behaviour) -> Endpoint {
    let endpoint = Endpoint::http();
    endpoint.set("/x", behaviour);
    endpoint
}

#[test]
fn a_port_without_a_server_refuses_the_connection() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error =
        get(&http(), &format!("http://u:canary@127.0.0.1:{port}"), "/x?q=canary#canary").err().unwrap();
    assert_eq!(error.kind, HttpErrorKind::Refused);
    assert!(error.is_no_answer());
    assert_eq!(error.to_string(), format!("http://127.0.0.1:{port}/x: connection refused"));
}

#[test]
fn an_unknown_host_is_named_in_the_hint() {
    // A name that no resolver can ever know. Without any resolver the lookup fails too.
    let error = get(&http(), &format!("http://{UNRESOLVABLE}"), "/x").err().unwrap();
    assert_eq!(error.kind, HttpErrorKind::UnknownHost, "{error}");
    assert_eq!(error.to_string(), format!("http://{UNRESOLVABLE}/x: host not found"));
    assert!(error.hint().unwrap().ends_with(&format!(": getent hosts {UNRESOLVABLE}")));
}

#[test]
fn silent_and_dripping_servers_time_out() {
    for behaviour in [Behaviour::Silent, Behaviour::Drip(Duration::from_millis(20))] {
        let endpoint = misbehaving(behaviour);
        let error = get(&impatient(), &endpoint.url(), "/x").err().unwrap();
        assert_eq!(error.kind, HttpErrorKind::Timeout(SHORT));
        assert_eq!(error.to_string(), format!("{}/x: timed out after 0.3 s", endpoint.url()));
    }
}

#[test]
fn a_connection_that_is_not_accepted_times_out() {
    // The backlog of a listener that never accepts fills up. After that, connecting hangs.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let filling = (0..5000).map_while(|_| std::net::TcpStream::connect_timeout(&address, SHORT / 6).ok());
    let held: Vec<_> = filling.collect();
    let limits = Limits { connect: SHORT, ..limits(PATIENT) };
    let error = get(&Http::new(settings(), limits), &format!("http://{address}"), "/x").err().unwrap();
    assert_eq!(error.kind, HttpErrorKind::ConnectTimeout(SHORT), "{error} with {} held", held.len());
}

#[test]
fn an_endless_response_is_an_error() {
    let endpoint = misbehaving(Behaviour::Endless);
    let error = get(&http(), &endpoint.url(), "/x").err().unwrap();
    assert_eq!(error.kind, HttpErrorKind::TooLarge(10_000));
    assert!(!error.is_no_answer());
}

#[test]
fn a_response_of_exactly_the_limit_is_accepted() {
    let endpoint = misbehaving(Behaviour::Body(200, "text/plain", "x".repeat(10_000)));
    assert_eq!(get(&http(), &endpoint.url(), "/x").unwrap().body.len(), 10_000);
    endpoint.set("/x", Behaviour::Body(200, "text/plain", "x".repeat(10_001)));
    assert!(get(&http(), &endpoint.url(), "/x").is_err());
}

#[test]
fn an_endless_error_response_is_read_in_part() {
    let endless = format!("HTTP/1.1 500 X\r\nConnection: close\r\n\r\n{}", "words ".repeat(100_000));
    let endpoint = misbehaving(Behaviour::Raw(endless.into_bytes()));
    let response = get(&http(), &endpoint.url(), "/x").unwrap();
    assert_eq!((response.status, response.body.len()), (500, 2_000));
    assert!(response.failure().to_string().contains("500 Internal Server Error: words words"));
}

#[test]
fn closed_connections_and_garbage_are_errors() {
    let table = [
        (Behaviour::Close, "the server closed the connection before the response was complete"),
        (Behaviour::Raw(b"SSH-2.0-OpenSSH_9\r\n".to_vec()), "the response is not HTTP"),
        (
            Behaviour::Raw(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nx".to_vec()),
            "the server closed the connection before the response was complete",
        ),
    ];
    for (behaviour, expected) in table {
        let endpoint = misbehaving(behaviour);
        assert_eq!(
            error_of(get(&http(), &endpoint.url(), "/x")),
            format!("{}/x: {expected}", endpoint.url())
        );
    }
}

#[test]
fn the_servers_message_is_reported_without_the_token() {
    let endpoint =
        misbehaving(Behaviour::Json(403, r#"{"message":"canary-token is no good\u001b[31m"}"#.into()));
    let response = get_with_token(&http(), &endpoint.url(), "/x", &token()).unwrap();
    let text = error_of(response.ok());
    assert_eq!(text, format!("{}/x: 403 Forbidden: … is no good\u{1b}[31m", endpoint.url()));
}

#[test]
fn only_the_needed_headers_are_sent() {
    let endpoint = Endpoint::http();
    let empty = Secret::new(String::new());
    get_with_token(&http(), &endpoint.url().replace("//", "//user:canary@"), "/x", &empty).unwrap();
    get_with_token(&http(), &endpoint.url(), "/x", &token()).unwrap();
    let requests = endpoint.requests();
    let agent = requests[0].header("user-agent").unwrap();
    assert!(agent.starts_with("Apptainer-Remote/") && agent.contains("(Linux "), "{agent}");
    for unwanted in ["authorization", "cookie", "referer", "accept-encoding"] {
        assert_eq!(requests[0].header(unwanted), None);
    }
    assert_eq!(requests[1].header("authorization"), Some("Bearer canary-token"));
}

#[test]
fn a_token_that_cannot_or_must_not_be_sent_is_an_error() {
    let endpoint = Endpoint::http();
    let broken = Secret::new("canary\r\nX-Evil: 1".into());
    let text = error_of(get_with_token(&http(), &endpoint.url(), "/x", &broken));
    assert!(text.ends_with("the token contains characters that cannot be sent"), "{text}");
    let token = token();
    let secure = Ask { base: &endpoint.url(), path: "/x", token: Some(&token), insecure: false };
    assert!(error_of(secure.by(&http())).contains("refusing to send the token over plain http"));
    assert!(endpoint.requests().is_empty());
}

#[test]
fn the_client_outlives_a_runtime() {
    let endpoint = Endpoint::http();
    endpoint.keep_alive();
    let http = http();
    for _ in 0..5 {
        assert_eq!(get(&http, &endpoint.url(), "/library/version").unwrap().status, 200);
    }
    assert_eq!(endpoint.requests().len(), 5);
}
