//! Servers that do not answer, answer slowly, too much, or nonsense.

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
fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error =
        get(&http(), &format!("http://u:canary@127.0.0.1:{port}"), "/x?q=canary#canary").err().unwrap();
    assert_eq!(error.kind, HttpErrorKind::Refused);
    assert!(error.is_no_answer());
    assert_eq!(error.to_string(), format!("http://127.0.0.1:{port}/x: connection refused"));
}

#[test]
fn nobody_has_the_name() {
    // A name that no resolver may ever know; without any resolver the lookup fails as well.
    let error = get(&http(), &format!("http://{UNRESOLVABLE}"), "/x").err().unwrap();
    assert_eq!(error.kind, HttpErrorKind::UnknownHost, "{error}");
    assert_eq!(error.to_string(), format!("http://{UNRESOLVABLE}/x: the host name is not known"));
}

#[test]
fn silence_and_dripping_end_in_time() {
    for behaviour in [Behaviour::Silent, Behaviour::Drip(Duration::from_millis(20))] {
        let endpoint = misbehaving(behaviour);
        let error = get(&impatient(), &endpoint.url(), "/x").err().unwrap();
        assert_eq!(error.kind, HttpErrorKind::Timeout(SHORT));
        assert_eq!(error.to_string(), format!("{}/x: no whole answer within 0.3 s", endpoint.url()));
    }
}

#[test]
fn a_server_that_takes_no_connection() {
    // The queue of a listener that never accepts fills up; then connecting hangs.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let filling = (0..5000).map_while(|_| std::net::TcpStream::connect_timeout(&address, SHORT / 6).ok());
    let held: Vec<_> = filling.collect();
    let limits = Limits { connect: SHORT, ..limits(PATIENT) };
    let error = get(&Http::new(settings(), limits), &format!("http://{address}"), "/x").err().unwrap();
    assert_eq!(error.kind, HttpErrorKind::ConnectTimeout(SHORT), "{error} with {} held", held.len());
}

#[test]
fn an_endless_answer_is_cut() {
    let endpoint = misbehaving(Behaviour::Endless);
    let error = get(&http(), &endpoint.url(), "/x").err().unwrap();
    assert_eq!(error.kind, HttpErrorKind::TooLarge(10_000));
    assert!(!error.is_no_answer());
}

#[test]
fn an_answer_of_just_the_limit_is_whole() {
    let endpoint = misbehaving(Behaviour::Body(200, "text/plain", "x".repeat(10_000)));
    assert_eq!(get(&http(), &endpoint.url(), "/x").unwrap().body.len(), 10_000);
    endpoint.set("/x", Behaviour::Body(200, "text/plain", "x".repeat(10_001)));
    assert!(get(&http(), &endpoint.url(), "/x").is_err());
}

#[test]
fn an_endless_failure_is_read_in_part() {
    let endless = format!("HTTP/1.1 500 X\r\nConnection: close\r\n\r\n{}", "words ".repeat(100_000));
    let endpoint = misbehaving(Behaviour::Raw(endless.into_bytes()));
    let response = get(&http(), &endpoint.url(), "/x").unwrap();
    assert_eq!((response.status, response.body.len()), (500, 2_000));
    assert!(response.failure().to_string().contains("500 Internal Server Error: words words"));
}

#[test]
fn hanging_up_and_nonsense() {
    let table = [
        (Behaviour::Close, "the server closed the connection before the answer was whole"),
        (Behaviour::Raw(b"SSH-2.0-OpenSSH_9\r\n".to_vec()), "the answer is not HTTP"),
        (
            Behaviour::Raw(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nx".to_vec()),
            "the server closed the connection before the answer was whole",
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
fn the_server_has_its_say_but_not_the_token() {
    let endpoint =
        misbehaving(Behaviour::Json(403, r#"{"message":"canary-token is no good\u001b[31m"}"#.into()));
    let response = get_with_token(&http(), &endpoint.url(), "/x", &token()).unwrap();
    let text = error_of(response.ok());
    assert_eq!(text, format!("{}/x: 403 Forbidden: … is no good\u{1b}[31m", endpoint.url()));
}

#[test]
fn what_is_sent() {
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
fn a_token_that_cannot_or_must_not_be_sent() {
    let endpoint = Endpoint::http();
    let broken = Secret::new("canary\r\nX-Evil: 1".into());
    let text = error_of(get_with_token(&http(), &endpoint.url(), "/x", &broken));
    assert!(text.ends_with("the token holds characters that cannot be sent"), "{text}");
    let token = token();
    let secure = Ask { base: &endpoint.url(), path: "/x", token: Some(&token), insecure: false };
    assert!(error_of(secure.by(&http())).contains("a token is not sent over http"));
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
