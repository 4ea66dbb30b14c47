//! `keyserver add`, `remove`, `list`, `login` and `logout`, also in the spellings of `remote`.

use crate::peers::endpoint::{Behaviour, Endpoint};
use crate::peers::gate::Gate;
use crate::real::keyserver::{Nginx, Sks};
use crate::world::{As, Shown, World, apptainer_alone, finish, words};
use std::fs;

const OWN: &str = "https://keys.openpgp.org";

fn user(world: &World, line: &str) -> Shown {
    world.run(As::User, &words(&format!("keyserver {line}")))
}

fn root(world: &World, line: &str) -> Shown {
    world.run(As::Root, &words(&format!("keyserver {line}")))
}

#[test]
fn keyservers_added_by_root_are_shown_to_all_users() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let world = World::new();
    root(&world, "add https://keys.example.com").exits(0).says("added to DefaultRemote");
    root(&world, "add --order 1 DefaultRemote -i hkp://Lab.example").exits(0);
    assert_eq!(
        world.global(),
        format!(
            "\
Active: DefaultRemote
Remotes:
    DefaultRemote:
        URI: cloud.apptainer.org
        System: true
        Exclusive: false
        Keyservers:
            - URI: hkp://Lab.example
              Skip: false
              External: true
              Insecure: true
            - URI: {OWN}
              Skip: false
              External: false
              Insecure: false
            - URI: https://keys.example.com
              Skip: false
              External: true
              Insecure: false
"
        )
    );
    let expected = format!(
        "\nDefaultRemote *^\n   #1  hkp://Lab.example         \n   #2  {OWN}  🔒\n   #3  https://keys.example.com  🔒\n\n(* = system endpoint, ^ = default endpoint)\n"
    );
    assert_eq!(user(&world, "list").exits(0).stdout, expected);
    assert_eq!(user(&world, "list DefaultRemote").exits(0).stdout, expected);
    user(&world, "list nosuch").exits(255).says("nosuch is not a remote");
    world.remote("list --all").exits(0).prints(&format!("{OWN}  YES     NO        2*"));
    assert_eq!(World::singularity().run(As::User, &["keyserver", "list", "x"]).code, 255);
}

#[test]
fn both_spellings_are_the_same_command() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let (a, b) = (World::new(), World::new());
    for (own, other) in [
        ("add https://k.example", "add-keyserver https://k.example"),
        ("add -o 1 DefaultRemote hkps://l.example", "add-keyserver -o 1 DefaultRemote hkps://l.example"),
        ("remove https://k.example:443", "remove-keyserver https://k.example:443"),
    ] {
        let (first, second) = (root(&a, own).exits(0), b.root_remote(other).exits(0));
        assert_eq!(first.stderr, second.stderr);
    }
    assert_eq!(a.global(), b.global());
    assert!(a.global().contains("hkps://l.example"));
    let shown = root(&a, "add --json https://k.example").exits(0);
    assert_eq!(shown.stdout, "{\"version\":1,\"changed\":true}\n");
}

#[test]
fn the_endpoints_keyserver_can_be_disabled_and_restored() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let world = World::new();
    root(&world, &format!("remove {OWN}"))
        .exits(255)
        .says("the primary keyserver https://keys.openpgp.org can't be removed");
    root(&world, "add https://k.example").exits(0);
    root(&world, &format!("remove {OWN}")).exits(0);
    assert!(world.global().contains("Skip: true"));
    assert!(!user(&world, "list").exits(0).stdout.contains(OWN));
    root(&world, "remove https://k.example").exits(255).says("can't be removed");
    root(&world, "add https://l.example").exits(0);
    user(&world, "list").exits(0).prints("#1  https://k.example").prints("#2  https://l.example");
    root(&world, "add --order 3 hkps://keys.openpgp.org").exits(0);
    user(&world, "list").exits(0).prints(&format!("#3  {OWN}"));
}

#[test]
fn refused_commands_change_nothing() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let world = World::new();
    root(&world, "add https://k.example").exits(0);
    let before = world.global();
    for (line, code, words) in [
        ("add https://K.example:443/", 255, "https://K.example:443/ is already configured"),
        ("add hkps://k.example", 255, "already configured"),
        ("add --order 0 https://x.example", 255, "order must be > 0"),
        ("add --order 4 https://x.example", 255, "order is out of range: maximum is 3"),
        ("add --order -1 https://x.example", 1, "Usage"),
        ("add --order x https://x.example", 1, "Usage: apptainer keyserver add [OPTIONS] <NAME|URI> [URI]"),
        ("add nosuch https://x.example", 255, "no endpoint found: nosuch is not a global remote"),
        ("add ftp://x.example", 255, "ftp transport is not supported"),
        ("add docker://x.example", 255, "is a registry"),
        ("add x.example", 255, "the scheme is missing"),
        ("add https://", 255, "host is missing"),
        ("remove https://x.example", 255, "keyserver https://x.example is not configured"),
        ("remove http://k.example", 255, "is not configured"),
        ("add", 1, "Usage"),
    ] {
        let shown = root(&world, line).exits(code);
        assert!(shown.stderr.contains(words), "{line}: {shown:?}");
    }
    let shown = user(&world, "add https://x.example").exits(255);
    let hint = format!("hint:    {}keyserver add https://x.example\n", world.sudo());
    let fatal = "FATAL:   Unable to modify keyserver configuration: not root user\n";
    assert!(shown.stderr.starts_with(&format!("{fatal}{hint}")), "{shown:?}");
    world
        .remote("remove-keyserver DefaultRemote https://k.example")
        .exits(255)
        .says(&format!("{}remote remove-keyserver DefaultRemote https://k.example", world.sudo()));
    root(&world, "add https://ada:canary@y.example?q").exits(0).says("user info").never_shows("canary");
    assert_eq!(world.global().replace("canary", ""), world.global());
    root(&world, "remove https://y.example").exits(0);
    assert_eq!(world.global(), before);
}

#[test]
fn an_endpoint_is_queried_for_its_keyserver() {
    let (world, endpoint) = (World::new(), Endpoint::http());
    world.root_remote(&format!("add --global -i lab {}", endpoint.url())).exits(0);
    root(&world, "add lab https://k.example").exits(0);
    assert_eq!(endpoint.requests().len(), 1);
    user(&world, "list lab")
        .exits(0)
        .prints(&format!("\nlab *^\n   #1  {}/keystore  🔒\n   #2  https://k.example", endpoint.url()));
    assert_eq!(endpoint.requests().len(), 1, "no request for configured keyservers");

    endpoint.set_services(&[("tokenAPI", "http://x")]);
    world.root_remote(&format!("add --global -i bare {}", endpoint.url())).exits(0);
    root(&world, "add bare https://k.example").exits(0).says("bare has no keyserver of its own");
    user(&world, "list bare").exits(0).prints("   #1  https://k.example  🔒\n");

    world.root_remote("add --global -i gone http://127.0.0.1:1").exits(0);
    let before = world.global();
    root(&world, "add gone https://k.example").exits(255).says("cannot determine the own keyserver of gone");
    assert_eq!(world.global(), before);
}

#[test]
fn a_list_queries_unknown_keyservers_concurrently() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let (world, slow) = (World::new(), [(); 3].map(|()| Endpoint::http()));
    let document = "/assets/config/config.prod.json";
    // No request is answered until all have arrived.
    let gate = Gate::for_all(slow.len());
    for (at, endpoint) in slow.iter().enumerate() {
        endpoint.set(document, Behaviour::Held(gate.clone()));
        world.remote(&format!("add --no-login -n -i lab{at} {}", endpoint.url())).exits(0);
    }
    world.remote("add --no-login -n gone 127.0.0.1:1").exits(0);
    let shown = user(&world, "list").exits(0);
    let expected = format!(
        "\nDefaultRemote *^\n   #1  {OWN}  🔒\n\ngone \n   (unable to fetch associated keyserver info for this endpoint)\n\nlab0 \n   #1  {}/keystore  🔒\n",
        slow[0].url()
    );
    assert!(shown.stdout.starts_with(&expected), "{shown:?}");
    assert!(shown.stderr.contains("WARNING: cannot determine the keyserver of gone: https://127.0.0.1:1/"));
    assert!(!world.user_dir().join("remote-cache").exists(), "a list creates no directory");
    let json = user(&world, "list --json gone").exits(0);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["remotes"][0]["keyservers"], serde_json::json!([]));
    assert!(document["remotes"][0]["problem"].as_str().unwrap().contains("connection refused"));

    let cache = world.user_dir().join("remote-cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    // In processes of the user, who owns the cache.
    let list = || world.command(As::User).map(|mut command| finish(command.args(["keyserver", "list"])));
    let Some(shown) = list() else { return };
    shown.exits(0);
    slow.iter().for_each(Endpoint::forget);
    list().unwrap().exits(0).prints(&format!("{}/keystore", slow[2].url()));
    assert!(slow.iter().all(|endpoint| endpoint.requests().is_empty()), "the cache is used now");
}

/// A world with this keyserver configured.
fn with_keyserver(host: &str, options: &str, scheme: &str) -> (World, String) {
    let (world, uri) = (World::new(), format!("{scheme}://{host}"));
    root(&world, &format!("add {options} {uri}")).exits(0);
    (world, uri)
}

#[test]
fn a_login_is_checked_even_if_the_front_page_is_404() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let Some(sks) = Sks::start() else { return };
    let Some(nginx) = Nginx::asking(&sks.host(), "ada", "canary pw") else { return };
    for scheme in ["http", "hkp"] {
        let (world, uri) = with_keyserver(&nginx.host(), "", scheme);
        world.pipe("canary pw");
        user(&world, &format!("login -u ada {uri}")).exits(0).never_shows("canary").says(&format!(
            "Login to {uri} verified!\nINFO:    Token stored in {}",
            world.user_file().display()
        ));
        assert_eq!(
            world.user(),
            format!(
                "\
Active: \"\"
Remotes: {{}}
Credentials:
    - URI: {uri}
      Auth: Basic YWRhOmNhbmFyeSBwdw==
      Insecure: false
"
            )
        );
        let listed = user(&world, "list").exits(0);
        assert!(
            listed.stdout.contains(&format!("   #2  {uri}{}🔒  +\n", " ".repeat(26 - uri.len()))),
            "{listed:?}"
        );
        assert!(listed.stdout.ends_with("\n(* = system endpoint, ^ = default endpoint,\n + = user is logged in directly to this keyserver)\n"));
        let json = user(&world, "list -j").exits(0).never_shows("YWRh");
        assert!(
            json.stdout
                .contains(&format!(r#""uri":"{uri}","order":2,"secure":false,"external":true,"login":true"#))
        );

        let before = world.user();
        world.pipe("canary wrong");
        user(&world, &format!("login -u ada {uri}"))
            .exits(255)
            .never_shows("canary")
            .says(&format!("FATAL:   while login to {uri}: Invalid Credentials\nhint:    http://"));
        assert_eq!(world.user(), before);
        user(&world, &format!("logout {uri}")).exits(0).says("was removed from").says("Logout succeeded");
        assert!(!world.user().contains("Credentials"));
        world.remote(&format!("logout {uri}")).exits(0).says("WARNING: not logged in");
    }
}

#[test]
fn a_keyserver_without_logins_is_reported() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let Some(sks) = Sks::start() else { return };
    let (world, uri) = with_keyserver(&sks.host(), "--insecure", "hkp");
    world.pipe("t0ken");
    let shown = user(&world, &format!("login {uri}")).exits(0).never_shows("t0ken");
    assert!(shown.stderr.contains(&format!("WARNING: {uri} accepts anonymous requests")), "{shown:?}");
    assert!(
        shown.stderr.contains(&format!("{uri} is configured as insecure, forcing insecure flag")),
        "{shown:?}"
    );
    assert!(world.user().contains("Auth: Bearer t0ken\n      Insecure: true"), "{}", world.user());
}

#[test]
fn the_response_of_the_keyserver_decides() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let endpoint =
        Endpoint::answering(|request| match (request.path.as_str(), request.header("authorization")) {
            ("/p", _) => (404, "{}".into()),
            (path, Some("Bearer good")) if path.starts_with("/p/pks/lookup?op=index") => (404, "{}".into()),
            _ => (401, "{}".into()),
        });
    let (world, uri) = with_keyserver(&format!("{}/p", endpoint.host()), "", "http");
    world.pipe("good");
    user(&world, &format!("login {uri}")).exits(0).says("verified!");
    world.pipe("bad");
    user(&world, &format!("login {uri}")).exits(255).says("Invalid Credentials");
    for (behaviour, words) in [
        (Behaviour::Json(500, "{}".into()), "500 Internal Server Error"),
        (Behaviour::Json(403, "{}".into()), "Invalid Credentials"),
        (Behaviour::Close, "closed the connection"),
        (Behaviour::Silent, "timed out after"),
        (Behaviour::Redirect(302, "http://localhost:1/".into()), "refused"),
    ] {
        world.waits_for(&behaviour);
        endpoint.set("/p/pks/lookup", behaviour);
        world.pipe("good");
        user(&world, &format!("login {uri}")).exits(255).says(words);
    }
    assert!(world.user().contains("Bearer good"));
    world.pipe("no token at all");
    user(&world, &format!("login {uri}")).exits(255).says("contains spaces; nothing was sent");
}

#[test]
fn logins_go_only_to_configured_keyservers_and_never_unencrypted() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let (world, uri) = with_keyserver("k.example", "", "http");
    for (line, words) in [
        (
            format!("login -u a -p canary {uri}"),
            "refusing to send the login to http://k.example over plain http",
        ),
        (
            "login -u a -p canary https://other.example".into(),
            "no external keyserver configuration found for https://other.example",
        ),
        (
            format!("login -u a -p canary {OWN}"),
            "to log in to the remote whose own keyserver this is: apptainer remote login DefaultRemote",
        ),
        ("login".into(), "Usage: apptainer keyserver login"),
    ] {
        let shown = user(&world, &line).never_shows("canary");
        assert!(shown.code != 0 && shown.stderr.contains(words), "{line}: {shown:?}");
    }
    world
        .remote("login -u a -p canary --authfile x https://k.example")
        .exits(255)
        .says("--authfile is for registries");
    world
        .remote("login -u a -p canary https://other.example")
        .exits(255)
        .says(&format!("{}keyserver add https://other.example", world.sudo()));
    assert_eq!(world.user(), "");
}

#[test]
fn without_a_name_the_exclusive_remote_is_used() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let world = World::new();
    world.root_remote("use --exclusive DefaultRemote").exits(0);
    // It becomes the layer's default, which nobody can use.
    world.root_remote("add --global company company.example").exits(0);
    root(&world, "add https://k.example").exits(0).says("https://k.example added to DefaultRemote");
    root(&world, "remove https://k.example").exits(0).says("https://k.example removed from DefaultRemote");
}

#[test]
fn an_exclusive_remote_allows_only_its_own_keyservers() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let (world, uri) = with_keyserver("127.0.0.1:1", "", "http");
    world.root_remote("add --global company company.example").exits(0);
    world.root_remote("use --exclusive company").exits(0);
    user(&world, &format!("login -u a -p b {uri}"))
        .exits(255)
        .says("only \"company\" can be used (set exclusive by the administrator)");
}
