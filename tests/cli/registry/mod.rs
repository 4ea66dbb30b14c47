//! `registry login`, `logout` and `list` with a real docker-registry, and with servers that misbehave.

mod odd;

use crate::peers::ca::Ca;
use crate::peers::endpoint::{Behaviour, Endpoint};
use crate::real::registry::Registry;
use crate::real::token_server::{PATH, TokenServer};
use crate::world::{As, World, apptainer_alone, mode, words};
use std::fs;

const PASSWORD: &str = "canary p:w";

fn registry(world: &World, line: &str) -> crate::world::Shown {
    world.run(As::User, &words(&format!("registry {line}")))
}

fn login(world: &World, options: &str, host: &str) -> crate::world::Shown {
    world.pipe(PASSWORD);
    registry(world, &format!("login {options} docker://{host}")).never_shows("canary")
}

/// The content of the default auth file for logins.
fn auth(world: &World) -> String {
    fs::read_to_string(world.auth_file()).unwrap_or_default()
}

#[test]
fn a_password_is_checked_with_the_registry_and_stored() {
    let Some(server) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    let (world, host) = (World::new(), server.host());
    let file = world.auth_file();
    let shown = login(&world, "-u ada --json", &host).exits(0);
    assert_eq!(
        shown.stderr,
        format!("INFO:    Login to docker://{host} verified!\nINFO:    Token stored in {}\n", file.display())
    );
    assert_eq!(shown.stdout, "{\"version\":1,\"changed\":true}\n");
    assert_eq!(server.requests(), ["GET /v2/ 401", "GET /v2/ 200"]);
    assert_eq!(
        auth(&world),
        format!(
            "{{\n\t\"auths\": {{\n\t\t\"{host}\": {{\n\t\t\t\"auth\": \"YWRhOmNhbmFyeSBwOnc=\"\n\t\t}}\n\t}}\n}}\n"
        )
    );
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(
        world.user(),
        format!(
            "\
Active: \"\"
Remotes: {{}}
Credentials:
    - URI: docker://{host}
      Insecure: false
"
        )
    );
    let again = login(&world, "-u ada --json", &host).exits(0);
    assert_eq!(again.stdout, "{\"version\":1,\"changed\":false}\n");
}

#[test]
fn a_wrong_password_is_refused_and_the_stored_login_stays() {
    let Some(server) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    let (world, host) = (World::new(), server.host());
    login(&world, "-u ada", &host).exits(0);
    let before = (auth(&world), world.user());
    for (user, password) in [("ada", "canary-wrong"), ("eve", PASSWORD)] {
        world.pipe(password);
        let shown = registry(&world, &format!("login -u {user} docker://{host}")).exits(255);
        let shown = shown.never_shows("canary");
        assert_eq!(
            shown.stderr,
            format!(
                "FATAL:   while login to docker://{host}: Invalid Credentials\nhint:    http://{host}/v2/: 401 Unauthorized: authentication required\nhint:    the previously stored login was kept\n"
            )
        );
    }
    assert_eq!((auth(&world), world.user()), before);
}

#[test]
fn both_spellings_and_both_schemes_work() {
    let Some(server) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    let (world, host) = (World::new(), server.host());
    world.pipe(PASSWORD).remote(&format!("login -u ada oras://{host}")).exits(0).never_shows("canary");
    assert!(world.user().contains(&format!("URI: oras://{host}")), "{}", world.user());
    login(&world, "-u ada", &host).exits(0);
    let listed = registry(&world, "list").exits(0);
    assert_eq!(
        listed.stdout,
        format!("\nURI{}  SECURE?\noras://{host}    ✓\ndocker://{host}  ✓\n", " ".repeat(host.len() + 6))
    );
    world.remote("list --all").exits(0).prints(&format!("docker://{host}  NO"));
    world
        .remote(&format!("logout docker://{host}"))
        .exits(0)
        .says("was removed from")
        .says("INFO:    Logout succeeded");
    assert!(!auth(&world).contains(&host) && !world.user().contains("Credentials"), "{}", world.user());
    registry(&world, &format!("logout oras://{host}")).exits(0).says("WARNING: not logged in to oras://");
}

#[test]
fn an_open_registry_is_reported_as_open_and_gets_no_password() {
    let Some(server) = Registry::open() else { return };
    let (world, host) = (World::new(), server.host());
    login(&world, "-u ada", &host)
        .exits(0)
        .says(&format!("WARNING: docker://{host} accepts anonymous requests"));
    assert_eq!(server.requests(), ["GET /v2/ 200"]);
    assert!(auth(&world).contains(&host));
}

#[test]
fn a_private_certificate_authority_can_be_trusted() {
    let ca = Ca::generate();
    let Some(server) = Registry::basic_tls(&[("ada", PASSWORD)], &ca) else { return };
    let (world, host) = (World::new(), server.host());
    let file = world.path("ca.crt");
    ca.write(&file);
    login(&world, "-u ada", &host)
        .exits(255)
        .says("self-signed or from an unknown authority")
        .says("--ca-file FILE")
        .says("--insecure");
    assert_eq!(server.requests(), [""; 0], "http was tried after an invalid certificate");
    login(&world, &format!("-u ada --ca-file {}", file.display()), &host).exits(0);
    assert!(world.user().contains("Insecure: false"));
    login(&world, "-u ada --insecure", &host).exits(0);
    assert!(world.user().contains("Insecure: true"), "{}", world.user());
    registry(&world, "list").exits(0).prints("✗!");
    assert_eq!(server.requests(), ["GET /v2/ 401", "GET /v2/ 200", "GET /v2/ 401", "GET /v2/ 200"]);
    let world = World::new().with_env("SSL_CERT_FILE", file).with_env("APPTAINER_LOGIN_USERNAME", "ada");
    login(&world, "", &host).exits(0);
    let missing = login(&World::new(), "-u ada --ca-file /nowhere.crt", &host).exits(255);
    assert!(missing.stderr.contains("--ca-file /nowhere.crt: no such file"), "{missing:?}");
}

#[test]
fn missing_and_wrong_arguments_are_refused() {
    let world = World::new();
    for (line, code, words) in [
        ("login ghcr.io", 255, "while login to docker://ghcr.io: a username is required"),
        ("login -u ada ghcr.io/team", 255, "registry login docker://ghcr.io\n"),
        ("login ftp://ghcr.io", 255, "ftp transport is not supported"),
        ("login docker://", 255, "the host is missing"),
        ("login docker://h:99999", 255, "the port must be a number"),
        ("login -u ada docker://h/team", 255, "registry login docker://h\n"),
        ("login docker://h", 255, "a username is required"),
        ("login -u= docker://h", 255, "a username is required"),
        ("login -u a:b docker://h", 255, "cannot contain a colon"),
        ("login -u ada docker://h", 255, "a password is required"),
        ("login -u ada -p= docker://h", 255, "a password is required"),
        ("login -u ada --password-stdin -p x docker://h", 1, "cannot be used with"),
        ("login", 1, "Usage: apptainer registry login"),
        ("logout", 1, "Usage: apptainer registry logout"),
        ("logout docker://h/team", 0, "registry logout docker://h\n"),
        ("lst", 1, "list"),
    ] {
        let shown = registry(&world, line).exits(code);
        assert!(shown.stderr.contains(words), "{line}: {shown:?}");
    }
    assert_eq!((auth(&world), world.user()), (String::new(), String::new()));
    registry(&world, "login -u ada hkps://canary:pw@h")
        .never_shows("canary")
        .exits(255)
        .says("no external keyserver configuration");
    registry(&world, "login -u ada https://canary:pw@h").never_shows("canary").exits(255).says("docker://h");
}

#[test]
fn on_a_terminal_it_prompts_for_name_and_password() {
    let Some(server) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    let world = World::new().on_terminal();
    world.answer("ada").answer(PASSWORD);
    let shown = registry(&world, &format!("login docker://{}", server.host())).exits(0).never_shows("canary");
    assert!(
        shown.stderr.starts_with("Username: Password (or token when username is empty): \n"),
        "{shown:?}"
    );
    world.answer("");
    registry(&world, &format!("login docker://{}", server.host())).exits(255).says("a username is required");
    world.answer("");
    registry(&world, &format!("login -u ada docker://{}", server.host()))
        .exits(255)
        .says("a password is required");
}

#[test]
fn a_password_can_come_from_every_source() {
    if apptainer_alone("there is only one prefix there") {
        return;
    }
    let Some(server) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    let (mut world, uri) = (World::new(), format!("docker://{}", server.host()));
    fs::write(world.path("pw"), format!("{PASSWORD}\nmore\n")).unwrap();
    let file = world.path("pw").display().to_string();
    world.pipe(format!("{PASSWORD}\n"));
    registry(&world, &format!("login -u ada --password-stdin {uri}")).exits(0);
    registry(&world, &format!("login -u ada --tokenfile {file} {uri}")).exits(0);
    let shown = world.run(As::User, &["registry", "login", "-u", "ada", "-p", PASSWORD, &uri]).exits(0);
    assert!(shown.stderr.contains("visible in the process list"), "{shown:?}");
    world.set_env("APPTAINER_LOGIN_PASSWORD", PASSWORD);
    world.set_env("SINGULARITY_LOGIN_USERNAME", "ada");
    registry(&world, &format!("login {uri}"))
        .exits(0)
        .never_shows("canary")
        .says("APPTAINER_LOGIN_USERNAME is preferred");
}

#[test]
fn list_and_logout_need_no_network() {
    let world = World::new();
    let file = world.auth_file();
    fs::create_dir(file.parent().unwrap()).unwrap();
    fs::write(&file, r#"{"auths":{"quay.io":{"auth":"YWRhOnB3"},"empty.example":{}}}"#).unwrap();
    world.write_user(
        "
Credentials:
  - {URI: 'docker://gone.example'}
  - {URI: 'https://keys.example', Auth: Basic x}
",
    );
    let shown = registry(&world, "list").exits(0);
    assert_eq!(
        shown.stdout,
        "
URI                    SECURE?
docker://gone.example  ✓
docker://quay.io       ✓
"
    );
    assert!(shown.stderr.contains("WARNING: no password for docker://gone.example found in"), "{shown:?}");
    let json = registry(&world, "list --json").exits(0).never_shows("YWRhOnB3");
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        document,
        serde_json::json!({"version":1,"files":{"auth":file},"registries":[
            {"uri":"docker://gone.example","secure":true,"source":null,"helper":null},
            {"uri":"docker://quay.io","secure":true,"source":"file","helper":null}]})
    );
    registry(&world, "logout docker://quay.io").exits(0).says(&format!("removed from {}", file.display()));
    assert_eq!(auth(&world), "{\n\t\"auths\": {\n\t\t\"empty.example\": {}\n\t}\n}\n");
    let empty: serde_json::Value =
        serde_json::from_str(&registry(&World::new(), "list -j").exits(0).stdout).unwrap();
    assert_eq!(empty["registries"], serde_json::json!([]));
}

#[test]
fn persona_singularity_works_the_same_way() {
    let Some(server) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    let (world, host) =
        (World::singularity().with_env("SINGULARITY_LOGIN_PASSWORD", PASSWORD), server.host());
    let file = world.user_dir().join("docker-config.json");
    registry(&world, &format!("login -u ada docker://{host}"))
        .exits(0)
        .never_shows("canary")
        .says(&format!("Token stored in {}", file.display()));
    assert!(fs::read_to_string(&file).unwrap().contains(&host) && !world.home().join(".docker").exists());
    world
        .remote(&format!("login -u ada docker://{host}/x"))
        .exits(255)
        .says("hint:    singularity registry login");
    world.remote(&format!("logout docker://{host}")).exits(0).says("Logout succeeded");
}

#[test]
fn a_login_overridden_by_the_environment_is_reported() {
    let Some(server) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    let world = World::new();
    let other = format!(r#"{{"auths":{{"{}":{{"auth":"YWRhOm9sZA=="}}}}}}"#, server.host());
    let world = world.with_env("DOCKER_AUTH_CONFIG", other);
    login(&world, "-u ada", &server.host()).exits(0).says("WARNING: DOCKER_AUTH_CONFIG overrides this login");
}
