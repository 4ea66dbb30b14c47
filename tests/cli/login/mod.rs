//! `remote login` and `remote logout` with a running endpoint.

mod after_add;
mod layers;
mod network;

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
fn a_token_can_come_from_every_source() {
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
fn on_a_terminal_it_prompts_and_confirms_before_replacing() {
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
        world.answer(answer).remote("login").exits(0).says(question).says("The stored token was kept.");
    }
    world.answers.borrow_mut().push_back(None);
    world.remote("login").exits(0).says("The stored token was kept.");
    world.answer("y").answer("").remote("login").exits(0).says("The stored token was kept.");
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
fn other_failures_of_a_token_service_are_reported_as_such() {
    let (world, endpoint) = lab();
    for (behaviour, says) in [
        (
            Behaviour::Json(500, r#"{"error":{"code":500,"message":"the database is down"}}"#.into()),
            "the database is down",
        ),
        (Behaviour::Json(429, "{}".into()), "429"),
        (Behaviour::Silent, "1.5"),
        (Behaviour::Drip(std::time::Duration::from_millis(100)), "timed out after"),
        (Behaviour::Endless, "longer than"),
        (Behaviour::Close, "connection"),
        (Behaviour::Redirect(302, TOKEN_STATUS.into()), "in a loop"),
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
fn invalid_tokens_are_not_sent() {
    let (world, endpoint) = lab();
    for (piped, says) in [
        ("two words".to_string(), "contains spaces"),
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
    world.pipe(b"\xff\xfe\n".to_vec()).remote("login").exits(255).says("not valid UTF-8");
    world.pipe("x".repeat(100_000)).remote("login").exits(255).says("64 KiB");
    assert!(endpoint.requests_for(TOKEN_STATUS).is_empty());
}

#[test]
fn invalid_token_files_are_refused() {
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
fn two_secrets_on_one_command_line_are_refused() {
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
    for (line, option) in [("login -i lab", "--insecure"), ("login --authfile f lab", "--authfile")] {
        world.pipe(TOKEN).remote(line).exits(1).says(option).says("Usage: apptainer remote login");
    }
}

#[test]
fn a_username_for_an_endpoint_is_ignored() {
    let (world, _endpoint) = lab();
    world.pipe(TOKEN).remote("login -u ada lab").exits(0).says("INFO:    --username is ignored");
}

#[test]
fn the_built_in_default_has_no_login() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let world = World::new();
    world
        .pipe(TOKEN)
        .remote("login")
        .exits(255)
        .says("DefaultRemote (cloud.apptainer.org) only serves keys and has no login")
        .says("apptainer remote add")
        .says("apptainer remote use");
    world.remote("login nosuch").exits(255).says("nosuch is not a remote");
    assert!(!world.user_dir().exists());
}

#[test]
fn a_token_on_the_command_line_warns_and_stray_words_are_not_echoed() {
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
fn a_login_that_cannot_be_stored_does_not_prompt() {
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
    assert!(shown.stderr.contains("cannot write to"), "{shown:?}");
    assert!(shown.stderr.contains("CONFIGDIR"), "{shown:?}");
    assert!(endpoint.requests().is_empty(), "a request was sent");
    // The world must be removable by the user who created it.
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_token_given_as_a_name_is_not_echoed() {
    let world = World::new();
    let token = format!("eyJhbGciOi{}", "x".repeat(80));
    world.remote(&format!("login {token}")).exits(255).says("eyJhbGci… is not a remote").never_shows(&token);
    world.remote(&format!("login --tokenfile {token}")).exits(255).never_shows(&token);
}
