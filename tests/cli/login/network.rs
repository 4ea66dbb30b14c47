//! Logins through proxies, with certificates, and at unusual endpoints.

use super::*;

#[test]
fn discovery_comes_before_any_prompt_and_its_failures_are_clear() {
    let (mut world, endpoint) = lab();
    world = world.on_terminal();
    for (behaviour, says) in [
        (Behaviour::Json(200, "{}".into()), "no authentication service found"),
        (
            Behaviour::Json(200, r#"{"tokenAPI":{"url":"x"},"library":7}"#.into()),
            "no authentication service found",
        ),
        (Behaviour::Json(200, "[]".into()), "while retrieving services"),
        (Behaviour::Body(200, "text/html", "<html>hello</html>".into()), "while retrieving services"),
        (Behaviour::Raw(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".into()), "204"),
        (Behaviour::Json(401, "{}".into()), "401"),
        (Behaviour::Json(404, "{}".into()), "404"),
        (Behaviour::Body(500, "text/html", "<html>oops\u{1b}[2J</html>".into()), "500"),
        (Behaviour::Redirect(301, DISCOVERY.into()), "in a loop"),
        (Behaviour::Redirect(302, "ftp://127.0.0.1/".into()), "while retrieving services"),
        (Behaviour::Silent, "while retrieving services"),
        (Behaviour::Drip(std::time::Duration::from_millis(100)), "while retrieving services"),
        (Behaviour::Endless, "while retrieving services"),
        (Behaviour::Close, "while retrieving services"),
        (Behaviour::Raw(b"garbage".into()), "while retrieving services"),
    ] {
        world.waits_for(&behaviour);
        endpoint.set(DISCOVERY, behaviour.clone());
        let shown = world.remote("login").exits(255).says(says).never_shows("\u{1b}");
        assert!(!shown.stderr.contains("Access Token: "), "{behaviour:?}: {shown:?}");
        assert!(!shown.stderr.contains("Generate"), "{behaviour:?}");
    }
}

#[test]
fn refused_connections_and_unknown_hosts_are_reported() {
    let world = World::new();
    world.remote("add --no-login -i lab http://127.0.0.1:1").exits(0);
    world.pipe(TOKEN).remote("login").exits(255).says("while retrieving services").says("refused");
    // A label of more than 63 characters fails in the resolver itself, without a query to a name server.
    let unknown = format!("{}.test", "x".repeat(64));
    world.remote(&format!("add --no-login -i far {unknown}")).exits(0);
    world.pipe(TOKEN).remote("login far").exits(255).says("xxxx.test").says("host not found");
}

#[test]
fn only_a_service_as_secure_as_the_endpoint_gets_a_token() {
    let ca = Ca::generate();
    let (secure, plain) = (Endpoint::https(ca.identity()), Endpoint::http());
    let world = World::new();
    let pem = world.path("ca.pem");
    ca.write(&pem);
    plain.accept_token(TOKEN);
    secure.accept_token(TOKEN);
    world.remote(&format!("add --no-login lab {}", secure.url())).exits(0);
    let line = format!("login --ca-file {}", pem.display());
    world.pipe(TOKEN).remote(&line).exits(0);
    world.remote("logout").exits(0);
    for uri in [format!("{}/token", plain.url()), "ftp://x/".into(), "\u{1b}[2J".into()] {
        secure.set_services(&[("tokenAPI", &uri)]);
        world.pipe(TOKEN).remote(&line).exits(255).says("refusing to send the token").never_shows("\u{1b}");
        assert!(plain.requests().is_empty());
        assert!(!world.user().contains(TOKEN));
    }
    // A redirect to another origin does not carry the token.
    let other = Endpoint::https(ca.identity());
    secure.set_services(&[("tokenAPI", &format!("{}/token", secure.url()))]);
    secure.set(TOKEN_STATUS, Behaviour::Redirect(302, format!("{}{TOKEN_STATUS}", other.url())));
    world.pipe(TOKEN).remote(&line).exits(255);
    assert!(other.requests().iter().all(|request| request.header("authorization").is_none()));
    secure.set(TOKEN_STATUS, Behaviour::Redirect(302, format!("{}{TOKEN_STATUS}", plain.url())));
    world.pipe(TOKEN).remote(&line).exits(255);
    assert!(plain.requests().is_empty(), "never from https to http");
}

#[test]
fn certificates_are_checked() {
    let ca = Ca::generate();
    let world = World::new();
    let pem = world.path("ca.pem");
    ca.write(&pem);
    for (identity, says) in [
        (ca.expired(), "expired"),
        (ca.identity_for("elsewhere.test"), "name"),
        (crate::peers::ca::Identity::self_signed(false), "self-signed"),
    ] {
        let endpoint = Endpoint::https(identity);
        endpoint.accept_token(TOKEN);
        world.remote(&format!("add --no-login --replace lab {}", endpoint.url())).exits(0);
        world.pipe(TOKEN).remote(&format!("login --ca-file {}", pem.display())).exits(255).says(says);
        assert!(endpoint.requests().is_empty());
    }
    let endpoint = Endpoint::https(ca.identity());
    endpoint.accept_token(TOKEN);
    world.remote(&format!("add --no-login --replace lab {}", endpoint.url())).exits(0);
    world.pipe(TOKEN).remote("login").exits(255).says("--ca-file");
    world.pipe(TOKEN).remote("login --ca-file /nonexistent.pem").exits(255).says("/nonexistent.pem");
    let world = world.with_env("SSL_CERT_FILE", &pem);
    world.pipe(TOKEN).remote("login").exits(0);
}

#[test]
fn a_proxy_is_used_and_its_password_never_shown() {
    let (mut world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    let proxy = crate::peers::proxy::Proxy::start(endpoint.address(), None);
    world.remote("add --no-login -i far far.test").exits(0);
    endpoint.set_services(&[("tokenAPI", "http://far.test/token")]);
    world.set_env("HTTP_PROXY", format!("http://me:sesame@{}", proxy.host()));
    world
        .pipe(TOKEN)
        .run(crate::world::As::User, &["-d", "remote", "login", "far"])
        .exits(0)
        .says("anyone on the network can read")
        .never_shows("sesame");
    assert!(proxy.requests().iter().any(|request| request.path == format!("http://far.test{TOKEN_STATUS}")));
    world.set_env("HTTP_PROXY", "http://me:sesame@127.0.0.1:1");
    world.pipe(TOKEN).remote("login far").exits(255).never_shows("sesame");
}

#[test]
fn an_endpoint_may_have_an_ipv6_address_and_a_path() {
    if !Endpoint::has_ipv6() {
        return crate::world::skipped("needs IPv6: the loopback address ::1");
    }
    let (world, endpoint) = (World::new(), Endpoint::start("::1", None));
    endpoint.accept_token(TOKEN);
    world.pipe(TOKEN).remote(&format!("add -i six {}", endpoint.url())).exits(0).says("Token stored in");
    assert!(world.user().contains(&format!("URI: //{}\n", endpoint.host())), "{}", world.user());
    world.remote("status").exits(0).prints("Valid authentication token set");
    world.remote("list").exits(0).prints(&endpoint.host());
}
