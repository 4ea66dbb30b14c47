//! `remote login` and `remote logout` of endpoints, against an endpoint that listens.

use crate::peers::ca::Ca;
use crate::peers::endpoint::{Behaviour, DISCOVERY, Endpoint, TOKEN_STATUS};
use crate::world::{As, USER, World, apptainer_alone, finish_reading, is_root, mode};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const TOKEN: &str = "tok3n.of-ada_~+/==";

/// A world with the endpoint as its default remote `lab`.
fn lab() -> (World, Endpoint) {
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    world.remote(&format!("add --no-login -i lab {}", endpoint.url())).exits(0);
    (world, endpoint)
}

fn with_token(world: &World) {
    world.pipe(TOKEN).remote("login lab").exits(0);
}

#[test]
fn a_piped_token_is_verified_and_stored() {
    let (world, endpoint) = lab();
    let shown = world.pipe(format!("{TOKEN}\r\nrest\n")).remote("login").exits(0).never_shows(TOKEN);
    assert_eq!(shown.stdout, "", "no question and no prompt text in a pipe");
    assert_eq!(
        shown.stderr,
        format!(
            "INFO:    Access Token Verified!\nINFO:    Token stored in {}\n",
            world.user_file().display()
        )
    );
    assert!(world.user().contains(&format!("        Token: {TOKEN}\n")), "{}", world.user());
    assert_eq!(mode(&world.user_file()), 0o600);
    let sent: Vec<_> = endpoint
        .requests()
        .iter()
        .map(|r| (r.path.clone(), r.header("authorization").map(String::from)))
        .collect();
    assert_eq!(
        sent,
        [(DISCOVERY.to_string(), None), (TOKEN_STATUS.to_string(), Some(format!("Bearer {TOKEN}")))]
    );
    assert!(endpoint.requests()[0].header("user-agent").unwrap().starts_with("Apptainer-Remote/"));
}

#[test]
fn every_source_of_a_token() {
    let (world, _endpoint) = lab();
    let file = world.path("token");
    fs::write(&file, format!("{TOKEN}\nsecond line\n")).unwrap();
    for (line, piped) in [
        (format!("login --tokenfile {}", file.display()), ""),
        ("login --tokenfile - lab".into(), TOKEN),
        ("login --password-stdin lab".into(), TOKEN),
        (format!("login -p {TOKEN}"), ""),
    ] {
        world.pipe(piped).remote(&line).exits(0).never_shows(TOKEN);
        assert!(world.user().contains(TOKEN), "{line}");
        world.remote("logout").exits(0);
        assert!(!world.user().contains(TOKEN), "{line}");
    }
}

#[test]
fn on_a_terminal_it_asks_and_asks_before_it_replaces() {
    let (mut world, endpoint) = lab();
    world = world.on_terminal();
    let shown = world.answer(TOKEN).remote("login").exits(0).never_shows(TOKEN);
    assert!(shown.stderr.starts_with(&format!(
        "Generate an access token at {}/auth/tokens, and paste it here.\nToken entered will be hidden for security.\nAccess Token: \n",
        endpoint.url()
    )), "{shown:?}");
    let before = world.user();
    let question = "An access token is already set for this remote. Replace it? [y/N] ";
    for answer in ["", "n", "nonsense"] {
        world.answer(answer).remote("login").exits(0).says(question).says("nothing was changed");
    }
    world.answers.borrow_mut().push_back(None);
    world.remote("login").exits(0).says("nothing was changed");
    world.answer("y").answer("").remote("login").exits(0).says("nothing was changed");
    world.answer("y").remote("login").exits(255);
    assert_eq!(world.user(), before);
    endpoint.accept_token("another");
    world.answer("Yes").answer(" another ").remote("login").exits(0);
    assert!(world.user().contains("Token: another\n"));
}

#[test]
fn a_rejected_token_is_not_stored_and_the_previous_one_stays() {
    let (world, endpoint) = lab();
    with_token(&world);
    let before = world.user();
    for status in [401, 403, 404, 406] {
        endpoint.set(
            TOKEN_STATUS,
            Behaviour::Json(status, r#"{"error":{"code":1,"message":"no \u001b[31mthanks"}}"#.into()),
        );
        world
            .pipe("wrong")
            .remote("login")
            .exits(255)
            .says("FATAL:   while verifying token: error response from server: Invalid Credentials\n")
            .says(&format!("hint:    {}{TOKEN_STATUS}", endpoint.url()))
            .says(&status.to_string())
            .never_shows("\u{1b}")
            .never_shows("wrong");
        assert_eq!(world.user(), before);
    }
}

#[test]
fn a_token_service_that_fails_otherwise_is_named_as_such() {
    let (world, endpoint) = lab();
    for (behaviour, says) in [
        (
            Behaviour::Json(500, r#"{"error":{"code":500,"message":"the database is down"}}"#.into()),
            "the database is down",
        ),
        (Behaviour::Json(429, "{}".into()), "429"),
        (Behaviour::Silent, "1.5"),
        (Behaviour::Drip(std::time::Duration::from_millis(100)), ""),
        (Behaviour::Endless, ""),
        (Behaviour::Close, ""),
        (Behaviour::Redirect(302, TOKEN_STATUS.into()), "circle"),
    ] {
        world.waits_for(&behaviour);
        endpoint.set(TOKEN_STATUS, behaviour.clone());
        world
            .pipe(TOKEN)
            .remote("login")
            .exits(255)
            .says("while verifying token")
            .says(says)
            .says(TOKEN_STATUS)
            .never_shows(TOKEN);
        assert!(!world.user().contains(TOKEN), "{behaviour:?}");
    }
}

#[test]
fn discovery_comes_before_any_question_and_its_failures_are_plain() {
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
        (Behaviour::Redirect(301, DISCOVERY.into()), "circle"),
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
fn nobody_listens_and_nobody_is_known() {
    let world = World::new();
    world.remote("add --no-login -i lab http://127.0.0.1:1").exits(0);
    world.pipe(TOKEN).remote("login").exits(255).says("while retrieving services").says("refused");
    // A label of more than 63 characters fails in the resolver itself: no name server is asked.
    let unknown = format!("{}.test", "x".repeat(64));
    world.remote(&format!("add --no-login -i far {unknown}")).exits(0);
    world.pipe(TOKEN).remote("login far").exits(255).says("xxxx.test").says("the host name is not known");
}

#[test]
fn only_a_service_of_the_endpoints_own_security_gets_a_token() {
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
        world.pipe(TOKEN).remote(&line).exits(255).says("no token is sent").never_shows("\u{1b}");
        assert!(plain.requests().is_empty());
        assert!(!world.user().contains(TOKEN));
    }
    // A redirect to another origin takes no token along.
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
fn what_cannot_be_a_token_is_sent_nowhere() {
    let (world, endpoint) = lab();
    for (piped, says) in [
        ("two words".to_string(), "blanks"),
        ("root:$6$salt:1:0:::".into(), "characters"),
        ("x".repeat(9000), "8192"),
        (format!("{TOKEN}\u{e9}"), "characters"),
    ] {
        world
            .pipe(piped.clone())
            .remote("login")
            .exits(255)
            .says(says)
            .says("standard input")
            .never_shows(&piped);
    }
    world.pipe(b"\xff\xfe\n".to_vec()).remote("login").exits(255).says("not text");
    world.pipe("x".repeat(100_000)).remote("login").exits(255).says("64 KiB");
    assert!(endpoint.requests_for(TOKEN_STATUS).is_empty());
}

#[test]
fn token_files_that_are_none() {
    let (world, endpoint) = lab();
    let file = |name: &str, text: &str| {
        fs::write(world.path(name), text).unwrap();
        world.path(name).display().to_string()
    };
    for (path, says) in [
        ("/nonexistent/token".to_string(), "/nonexistent/token"),
        (world.home().display().to_string(), "directory"),
        (file("empty", ""), "empty"),
        (file("blank", "\ntoken on the second line\n"), "empty"),
        (file("passwd", "root:x:0:0:root:/root:/bin/sh\n"), "characters"),
    ] {
        world.remote(&format!("login --tokenfile {path}")).exits(255).says(says).never_shows("root:x");
    }
    assert!(endpoint.requests_for(TOKEN_STATUS).is_empty());
}

#[test]
fn two_secrets_on_one_command_line_are_one_too_many() {
    let (world, _endpoint) = lab();
    for line in [
        "login --tokenfile f -p x",
        "login --password-stdin -p canary",
        "login --tokenfile f --password-stdin",
        "login -p canary -p other",
    ] {
        world.remote(line).exits(1).says("cannot be used").never_shows("canary");
    }
}

#[test]
fn options_of_services_are_refused_for_an_endpoint() {
    let (world, _endpoint) = lab();
    for (line, option) in [
        ("login -u ada", "--username"),
        ("login -i lab", "--insecure"),
        ("login --authfile f lab", "--authfile"),
    ] {
        world.pipe(TOKEN).remote(line).exits(1).says(option).says("Usage: apptainer remote login");
    }
}

#[test]
fn nothing_piped_is_a_failure_of_login_and_fine_for_add() {
    let (world, endpoint) = lab();
    world.remote("login").exits(255).says("no token").says("--tokenfile");
    endpoint.forget();
    let shown = world.remote(&format!("add -i second {}", endpoint.url())).exits(0);
    assert!(
        shown.stderr.contains("Remote \"second\" added")
            && shown.stderr.contains("apptainer remote login second")
    );
    assert!(endpoint.requests().is_empty(), "the network is asked only for a login");
}

#[test]
fn add_logs_in_and_stays_added_when_that_fails() {
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    world
        .pipe("wrong")
        .remote(&format!("add -i lab {}", endpoint.url()))
        .exits(255)
        .says("Invalid Credentials")
        .says("lab stays added")
        .says("apptainer remote login lab");
    assert!(world.user().contains("lab:"));
    world.pipe(TOKEN).remote(&format!("add -i two {}", endpoint.url())).exits(0).says("Token stored in");
    let file = world.path("token");
    fs::write(&file, TOKEN).unwrap();
    world.remote(&format!("add -i three --tokenfile {} {}", file.display(), endpoint.url())).exits(0);
    assert_eq!(world.user().matches(TOKEN).count(), 2);
}

#[test]
fn the_built_in_default_has_no_login() {
    if apptainer_alone("the built-in remote is asked there, over the network") {
        return;
    }
    let world = World::new();
    world
        .pipe(TOKEN)
        .remote("login")
        .exits(255)
        .says("DefaultRemote (cloud.apptainer.org) has no login")
        .says("apptainer remote add")
        .says("apptainer remote use");
    world.remote("login nosuch").exits(255).says("nosuch is not a remote");
    assert!(!world.user_dir().exists());
}

#[test]
fn a_global_remotes_token_is_the_users_and_stays_with_its_address() {
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    world.root_remote(&format!("add -g -i company {}", endpoint.url())).exits(0);
    let global = world.global();
    world.pipe(TOKEN).remote("login").exits(0);
    assert_eq!(
        world.user(),
        format!(
            "Active: \"\"\nRemotes:\n    company:\n        URI: //{}\n        Token: {TOKEN}\n        System: true\n        Exclusive: false\n        Insecure: true\n",
            endpoint.host()
        )
    );
    assert_eq!(world.global(), global);
    let other = Endpoint::http();
    world.root_remote(&format!("add -g -i --replace company {}", other.url())).exits(0);
    world
        .remote("status")
        .exits(0)
        .says(&format!("the token for company was given to {}", endpoint.host()))
        .prints("logged out");
    assert!(other.requests().iter().all(|request| request.header("authorization").is_none()));
    world.remote("logout company").exits(0).says("removed from");
    assert_eq!(world.user(), "Active: \"\"\nRemotes: {}\n");
}

#[test]
fn logout_says_what_was_removed_from_where() {
    let (world, _endpoint) = lab();
    with_token(&world);
    let shown = world
        .remote("logout --json lab")
        .exits(0)
        .says(&format!("The token for lab was removed from {}", world.user_file().display()))
        .says("INFO:    Logout succeeded");
    assert_eq!(shown.stdout, "{\"version\":1,\"changed\":true}\n");
    assert!(!world.user().contains("Token"));
    world.remote("logout").exits(0).says("WARNING: no token is stored for lab");
    world.remote("logout nosuch").exits(255).says("nosuch is not a remote");
    world.remote("logout lab --all").exits(1);
}

#[test]
fn logout_all_forgets_every_token_and_login() {
    let world = World::new();
    world.write_user("Remotes:\n  a: {URI: a, Token: one}\n  b: {URI: b, Token: two}\n  DefaultRemote: {URI: x, Token: three, System: true}\n");
    world.remote("logout --all").exits(0).says("a, b").says("Logout succeeded");
    assert!(!world.user().contains("Token") && !world.user().contains("DefaultRemote"));
    world.remote("logout --all").exits(0).says("WARNING: no token or login is stored");
    world.write_user("Remotes:\n  a: {URI: a, Token: one}\nCredentials:\n  - {URI: docker://r.example}\n  - {URI: hkps://k.example, Auth: Bearer x}\n");
    world
        .remote("logout --all")
        .exits(0)
        .says("for a were")
        .says("docker://r.example, hkps://k.example were");
    assert!(!world.user().contains("Token") && !world.user().contains("Credentials"));
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
        .says("others on the network can read")
        .never_shows("sesame");
    assert!(proxy.requests().iter().any(|request| request.path == format!("http://far.test{TOKEN_STATUS}")));
    world.set_env("HTTP_PROXY", "http://me:sesame@127.0.0.1:1");
    world.pipe(TOKEN).remote("login far").exits(255).never_shows("sesame");
}

#[test]
fn an_own_remote_behind_an_exclusive_one_keeps_its_address_and_its_token() {
    if apptainer_alone("a name that both layers have is refused there") {
        return;
    }
    let (world, company, own) = (World::new(), Endpoint::http(), Endpoint::http());
    company.accept_token(TOKEN);
    own.accept_token(TOKEN);
    world.root_remote(&format!("add -g -i corp {}", company.url())).exits(0);
    world.root_remote("use -e corp").exits(0);
    world.pipe(TOKEN).remote(&format!("add -i corp {}", own.url())).exits(255).says("corp cannot be used");
    assert!(
        company.requests().is_empty() && own.requests().is_empty(),
        "nobody is logged in to the other one"
    );
    assert!(world.user().contains(&own.host()) && !world.user().contains(TOKEN));
    world.write_user(world.user().replace("System: false", "Token: mine\n        System: false"));
    let before = world.user();
    world
        .pipe(TOKEN)
        .remote("login corp")
        .exits(255)
        .says("your own remote corp")
        .says("apptainer remote remove corp");
    assert!(company.requests().is_empty());
    world.remote("logout corp").exits(0).says("nothing to remove");
    assert_eq!(world.user(), before);
    world.remote("logout --all").exits(0);
    assert!(!world.user().contains("mine"));
}

#[test]
fn a_token_on_the_command_line_is_warned_of_and_stray_words_are_not_repeated() {
    let (world, _endpoint) = lab();
    world
        .remote(&format!("login -p {TOKEN}"))
        .exits(0)
        .says("WARNING: a token on the command line is visible");
    for line in [
        "login --password-stdin=canary lab",
        "login lab canary",
        "login canary lab x",
        "login --nosuch=canary",
        "add a b https://user:canary@h",
        "use a https://user:canary@h",
    ] {
        world.remote(line).exits(1).never_shows("canary").says("Usage: ");
    }
    world.remote("add --no-login https://user:canary@h x.example").exits(255).never_shows("canary");
}

#[test]
fn a_token_file_with_replace_logs_in_also_where_the_address_stays() {
    let (world, _endpoint) = lab();
    let file = world.path("token");
    fs::write(&file, TOKEN).unwrap();
    let address = world.user().split("//").nth(1).unwrap().split('\n').next().unwrap().to_string();
    let line = format!("add -i --replace --json --tokenfile {} lab {address}", file.display());
    assert_eq!(
        world.remote(&line).exits(0).says("Token stored in").stdout,
        "{\"version\":1,\"changed\":true}\n"
    );
    assert!(world.user().contains(TOKEN));
}

#[test]
fn an_endpoint_with_an_ipv6_address_and_a_path() {
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

#[test]
fn a_login_that_could_not_be_kept_asks_for_nothing() {
    let (mut world, endpoint) = lab();
    let directory = world.path("locked");
    fs::create_dir(&directory).unwrap();
    fs::copy(world.user_file(), directory.join("remote.yaml")).unwrap();
    fs::set_permissions(directory.join("remote.yaml"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o500)).unwrap();
    world.set_env("APPTAINER_CONFIGDIR", directory.clone());
    if is_root() {
        std::os::unix::fs::chown(&directory, Some(USER), None).unwrap();
        std::os::unix::fs::chown(directory.join("remote.yaml"), Some(USER), None).unwrap();
    }
    endpoint.forget();
    let Some(mut command) = world.command(As::User) else { return };
    let shown = finish_reading(command.args(["remote", "login"]), TOKEN).exits(255);
    assert!(shown.stderr.contains("cannot be written"), "{shown:?}");
    assert!(shown.stderr.contains("CONFIGDIR"), "{shown:?}");
    assert!(endpoint.requests().is_empty(), "nobody was asked");
    // The next test world is removed by whoever made it.
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn adding_what_is_there_with_a_token_file_logs_in() {
    let (world, endpoint) = lab();
    let file = world.path("token");
    fs::write(&file, TOKEN).unwrap();
    let again = format!("add --if-absent -i lab {}", endpoint.url());
    endpoint.forget();
    world.remote(&again).exits(0).says("nothing was changed");
    assert!(endpoint.requests().is_empty());
    world.remote(&format!("{again} --tokenfile {}", file.display())).exits(0).says("Token stored in");
    assert!(world.user().contains(TOKEN));
    let replace = again.replace("--if-absent", "--replace");
    world.remote(&replace).exits(0).says("the one that is stored stays");
    assert!(world.user().contains(TOKEN));
}

#[test]
fn where_there_is_nothing_to_log_in_to_nobody_is_told_to_do_it_later() {
    if apptainer_alone("the built-in remote is asked there, over the network") {
        return;
    }
    let world = World::new();
    let shown =
        world.pipe(TOKEN).remote("add cloud cloud.apptainer.org").exits(255).says("cloud stays added");
    assert!(!shown.stderr.contains("later"), "{shown:?}");
}

#[test]
fn a_token_in_the_place_of_a_name_is_not_repeated() {
    let world = World::new();
    let token = format!("eyJhbGciOi{}", "x".repeat(80));
    world.remote(&format!("login {token}")).exits(255).says("eyJhbGci… is not a remote").never_shows(&token);
    world.remote(&format!("login --tokenfile {token}")).exits(255).never_shows(&token);
}

#[test]
fn an_unreadable_token_file_fails_before_any_request() {
    let endpoint = Endpoint::http();
    let world = World::new();
    world.write_user(format!(
        "Active: lab\nRemotes:\n  lab: {{URI: //{}, Insecure: true}}\n",
        endpoint.host()
    ));
    world.remote("login --tokenfile /nonexistent/typo").exits(255).says("/nonexistent/typo");
    assert!(endpoint.requests().is_empty());
}
