//! The auth file: which one is used, whether other programs can read it, which entries are kept, and invalid
//! files.

use crate::machine::private_mounts;
use crate::real::daemon::installed;
use crate::real::registry::Registry;
use crate::world::{As, Shown, World, finish, mode, words};
use apptainer_remote::persona::Persona;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

const LOGIN: &str = r#"{"auths":{"r.example":{"auth":"YWRhOnB3"}}}"#;

fn registry(world: &World, line: &str) -> Shown {
    world.run(As::User, &words(&format!("registry {line}")))
}

/// The file that `registry list` reads.
fn in_use(world: &World) -> PathBuf {
    let shown = registry(world, "list --json").exits(0);
    let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    document["files"]["auth"].as_str().unwrap().into()
}

fn put(world: &World, below: &str, text: &str) -> PathBuf {
    let file = world.home().join(below);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::set_permissions(file.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

#[test]
fn the_environment_and_existing_files_choose_the_auth_file() {
    let mut world = World::new();
    assert_eq!(in_use(&world), world.home().join(".docker/config.json"));
    world.set_env("APPTAINER_CONFIGDIR", world.home().join("conf"));
    assert_eq!(in_use(&world), world.home().join("conf/config.json"));
    put(&world, "conf/docker-config.json", "{}");
    assert_eq!(in_use(&world), world.home().join("conf/docker-config.json"));
    world.set_env("APPTAINER_AUTHFILE", "/documented");
    assert_eq!(in_use(&world), PathBuf::from("/documented"));
    world.set_env("APPTAINER_AUTH_FILE", "/read");
    assert_eq!(in_use(&world), PathBuf::from("/read"));

    let world = World::new();
    put(&world, ".apptainer/docker-config.json", "{}");
    assert_eq!(in_use(&world), world.home().join(".apptainer/docker-config.json"));
    let world = World::singularity();
    assert_eq!(in_use(&world), world.home().join(".singularity/docker-config.json"));
    assert_eq!(world.persona, Persona::Singularity);
}

#[test]
fn an_explicit_file_is_independent_of_remote_yaml() {
    let Some(server) = Registry::basic(&[("ada", "pw")]) else { return };
    let (world, uri) = (World::new(), format!("docker://{}", server.host()));
    let file = world.home().join("own.json");
    world.pipe("pw");
    registry(&world, &format!("login -u ada --authfile {} {uri}", file.display()))
        .exits(0)
        .says(&format!("Token stored in {}", file.display()));
    assert!(world.user().is_empty(), "remote.yaml is not written");
    assert!(!world.home().join(".docker").exists());
    registry(&world, &format!("logout {uri}")).exits(0).says("WARNING: not logged in");
    registry(&world, &format!("logout --authfile {} {uri}", file.display()))
        .exits(0)
        .says("Logout succeeded");
    assert_eq!(fs::read_to_string(file).unwrap(), "{\n\t\"auths\": {}\n}\n");
    for line in ["remote logout --authfile x lab", "remote logout --authfile x"] {
        world.run(As::User, &words(line)).exits(1).says("--authfile is for registries");
    }
}

#[test]
fn an_old_directory_is_copied_before_its_logins_change() {
    let Some(server) = Registry::basic(&[("ada", "pw")]) else { return };
    let world = World::new();
    let old = put(&world, ".singularity/docker-config.json", LOGIN);
    assert_eq!(in_use(&world), old);
    registry(&world, "list").exits(0).prints("docker://r.example");
    assert!(!world.user_dir().exists(), "reading changes nothing");
    world.pipe("pw");
    registry(&world, &format!("login -u ada docker://{}", server.host())).exits(0);
    let new = fs::read_to_string(world.user_dir().join("docker-config.json")).unwrap();
    assert!(new.contains("r.example") && new.contains(&server.host()), "{new}");
    assert_eq!(fs::read_to_string(old).unwrap(), LOGIN);
}

#[test]
fn skopeo_reads_what_we_write_and_we_list_what_skopeo_wrote() {
    let Some(server) = Registry::basic(&[("ada", "p:w ü")]) else { return };
    if !installed(&["skopeo"]) {
        return;
    }
    let (world, host) = (World::new(), server.host());
    let file = world.home().join(".docker/config.json");
    world.pipe("p:w ü");
    registry(&world, &format!("login -u ada docker://{host}")).exits(0);
    let skopeo = |args: &[&str]| {
        let mut command = Command::new("/usr/bin/skopeo");
        command.args(args).arg("--authfile").arg(&file).arg(&host);
        finish(command.env_clear().env("HOME", world.home()).env("PATH", "/usr/bin:/bin"))
    };
    assert_eq!(skopeo(&["login", "--get-login"]).exits(0).stdout, "ada\n");
    registry(&world, &format!("logout docker://{host}")).exits(0);
    skopeo(&["login", "--get-login"]).exits(1).says("not logged into");
    skopeo(&["login", "--tls-verify=false", "-u", "ada", "-p", "p:w ü"]).exits(0);
    registry(&world, "list").exits(0).prints(&format!("docker://{host}"));
    registry(&world, &format!("logout docker://{host}")).exits(0).says("removed from");
    skopeo(&["login", "--get-login"]).exits(1);
}

#[test]
fn entries_of_other_programs_are_kept() {
    let Some(server) = Registry::basic(&[("ada", "pw")]) else { return };
    let (world, host) = (World::new(), server.host());
    let text = format!(
        "{{\"HttpHeaders\":{{\"z\":\"1\",\"a\":1.50}},\"auths\":{{\"z.example\":{{\"identitytoken\":\"t\"}},\"{host}\":{{\"identitytoken\":\"old\",\"email\":\"x\"}},\"a.example\":{{\"auth\":\"canary!\"}}}},\"psFormat\":\"é\"}}"
    );
    let file = put(&world, ".docker/config.json", &text);
    world.pipe("pw");
    registry(&world, &format!("login -u ada docker://{host}")).exits(0);
    let expected =
        text.replace(r#"{"identitytoken":"old","email":"x"}"#, r#"{"email":"x","auth":"YWRhOnB3"}"#);
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(written.replace(['\n', '\t'], "").replace("\": ", "\":"), expected);
    registry(&world, "list")
        .exits(0)
        .says("invalid \"auth\" entry for docker://a.example")
        .never_shows("canary");
    registry(&world, "logout docker://a.example").exits(0).says("Logout succeeded");
    registry(&world, "logout docker://z.example").exits(0).says("Logout succeeded");
    assert!(!fs::read_to_string(&file).unwrap().contains("example"));
}

#[test]
fn all_names_of_docker_hub_are_one_registry() {
    let world = World::new();
    let text = r#"{"auths":{"docker.io":{"auth":"YWRhOnB3"},"https://index.docker.io/v1/":{"auth":"YWRhOnB3"},"h.example":{"auth":"YWRhOnB3"}}}"#;
    put(&world, ".docker/config.json", text);
    world.write_user("Credentials: [{URI: 'docker://index.docker.io'}]\n");
    registry(&world, "list").exits(0).prints("docker://index.docker.io");
    registry(&world, "logout docker://docker.io").exits(0).says("docker.io, https://index.docker.io/v1/");
    assert!(!world.user().contains("docker.io"), "{}", world.user());
    let left = fs::read_to_string(world.home().join(".docker/config.json")).unwrap();
    assert!(!left.contains("docker.io") && left.contains("h.example"), "{left}");
}

#[test]
fn a_login_to_a_path_of_a_registry_is_a_separate_login() {
    let world = World::new();
    put(
        &world,
        ".docker/config.json",
        r#"{"auths":{"h.example/team":{"auth":"YWRhOnB3"},"https://h.example/v2/":{"auth":"YWRhOnB3"}}}"#,
    );
    let listed = registry(&world, "list").exits(0);
    assert!(
        listed.stdout.contains("docker://h.example/team  ✓")
            && listed.stdout.contains("docker://h.example  ")
    );
    registry(&world, "logout docker://h.example")
        .exits(0)
        .says("logins for parts of this registry remain in ");
    registry(&world, "list").exits(0).prints("docker://h.example/team");
    registry(&world, "logout docker://h.example/other").exits(0).says("WARNING: not logged in");
    registry(&world, "logout oras://h.example/team")
        .exits(0)
        .says("INFO:    The login to h.example/team was removed from")
        .says("Logout succeeded");
    let file = world.home().join(".docker/config.json");
    assert_eq!(fs::read_to_string(file).unwrap(), "{\n\t\"auths\": {}\n}\n");
}

#[test]
fn every_listed_login_can_be_removed() {
    let world = World::new();
    let auths = [
        "docker.io/team",
        "docker.io",
        "h.example:443",
        "h.example",
        "https://old.example/v1/",
        "H.example/A/b/",
    ];
    let entries: Vec<String> =
        auths.iter().map(|key| format!("\"{key}\":{{\"auth\":\"YWRhOnB3\"}}")).collect();
    put(&world, ".docker/config.json", &format!("{{\"auths\":{{{}}}}}", entries.join(",")));
    let listed = registry(&world, "list --json").exits(0);
    let document: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let rows: Vec<&str> =
        document["registries"].as_array().unwrap().iter().map(|row| row["uri"].as_str().unwrap()).collect();
    assert_eq!(rows.len(), auths.len(), "{rows:?}");
    for (row, key) in rows.iter().zip(auths) {
        registry(&world, &format!("logout {row}")).exits(0).says(&format!("The login to {key} was removed"));
    }
    assert_eq!(registry(&world, "list").exits(0).stdout.lines().count(), 2);
}

#[test]
fn a_logout_names_every_login_it_removes() {
    let rows = "\
Credentials:
  - {URI: 'docker://h.example'}
  - {URI: 'oras://h.example'}
  - {URI: 'docker://h.example:443'}
  - {URI: 'hkp://h.example', Auth: Basic x}
";
    let world = World::new();
    world.write_user(rows);
    registry(&world, "logout docker://h.example")
        .exits(0)
        .says("INFO:    docker://h.example, oras://h.example were removed from the list in")
        .says("Logout succeeded");
    assert!(world.user().contains("docker://h.example:443") && world.user().contains("hkp://h.example"));
    registry(&world, "logout docker://h.example:443")
        .exits(0)
        .says("INFO:    docker://h.example:443 was removed from the list in");
    let world = World::new();
    world.write_user(rows);
    put(
        &world,
        ".docker/config.json",
        r#"{"auths":{"h.example":{"auth":"YWRhOnB3"},"x.example":{},"y.example/z":{"auth":"YWRhOnB3"}}}"#,
    );
    world
        .remote("logout --all")
        .exits(0)
        .says("The login to h.example was removed from")
        .says("logins to docker://h.example, oras://h.example, docker://h.example:443, hkp://h.example were removed")
        .says("logins stored by other programs remain in ");
}

#[test]
fn every_form_of_a_login_that_other_programs_accept_is_read() {
    let world = World::new();
    put(
        &world,
        ".docker/config.json",
        r#"{"auths":{"wrapped.example":{"auth":"YWRh\r\nOnB3\n"},"https://old.example/v1/":{"Auth":"YWRhOnB3"},"plain.example":{"username":"ada","password":"canary"},"null.example":null,"name.example":{"username":"ada"},"nobody.example":{"auth":"OnB3"},"number.example":{"auth":7}},"credHelpers":{"null.example":null}}"#,
    );
    let shown = registry(&world, "list").exits(0).never_shows("canary").never_shows("YWRh");
    for row in ["wrapped", "old", "plain", "nobody", "number"] {
        assert!(shown.stdout.contains(&format!("docker://{row}.example")), "{row}: {shown:?}");
    }
    for row in ["null", "name"] {
        assert!(!shown.stdout.contains(row), "{row}: {shown:?}");
    }
    assert_eq!(shown.stderr.matches("WARNING").count(), 2, "{shown:?}");
    shown
        .says("invalid \"auth\" entry for docker://nobody.example")
        .says("invalid \"auth\" entry for docker://number.example");
}

#[test]
fn a_logout_reports_logins_that_remain_in_the_environment() {
    let world = World::new().with_env("DOCKER_AUTH_CONFIG", LOGIN);
    let shown = registry(&world, "list -j").exits(0).never_shows("YWRhOnB3");
    assert!(shown.stdout.contains(r#""uri":"docker://r.example","secure":true,"source":"environment""#));
    registry(&world, "logout docker://r.example")
        .exits(255)
        .says("DOCKER_AUTH_CONFIG holds it")
        .says("unset");
    let world = World::new().with_env("DOCKER_AUTH_CONFIG", "{canary");
    registry(&world, "list").exits(0).says("WARNING: ignoring DOCKER_AUTH_CONFIG: ").never_shows("canary");
}

#[test]
fn invalid_files_are_reported_and_left_unchanged() {
    for (text, words) in [
        ("{\"auths\": {\n  canary", "config.json:2:3: key must be a string"),
        ("[]", "config.json:1:1: expected a JSON object"),
        ("{\"auths\": \"canary\"}", "config.json: auths: expected an object"),
        ("{\"auths\": {\"h\": 7}}", "auths.h: expected an object"),
        ("{\"credsStore\": 7}", "credsStore: expected a string"),
    ] {
        let world = World::new();
        let file = put(&world, ".docker/config.json", text);
        world.pipe("pw");
        for line in ["list", "login -u ada docker://127.0.0.1:1", "logout docker://h"] {
            registry(&world, line).exits(255).says(words).says("hint:    fix ").never_shows("canary");
        }
        assert_eq!(fs::read_to_string(file).unwrap(), text);
    }
    for blank in ["", " \n", "{}"] {
        let world = World::new();
        put(&world, ".docker/config.json", blank);
        registry(&world, "list").exits(0);
    }
    let world = World::new();
    fs::create_dir_all(world.home().join(".docker/config.json")).unwrap();
    registry(&world, "list").exits(255).says("is a directory, not a regular file");
}

#[test]
fn a_file_writable_by_others_is_listed_but_not_written() {
    let world = World::new();
    let file = put(&world, ".docker/config.json", LOGIN);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    registry(&world, "list").exits(0).prints("r.example").says("WARNING:").says("chmod go-w");
    world.pipe("pw");
    for line in ["login -u ada docker://127.0.0.1:1", "logout docker://r.example"] {
        registry(&world, line).exits(255).says("is writable by others").says("chmod go-w");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), LOGIN);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    registry(&world, "logout docker://r.example").exits(0);
    assert_eq!(mode(&file), 0o600, "nobody else can read passwords");
}

#[test]
fn a_users_link_is_followed() {
    let world = World::new();
    let real = put(&world, "dotfiles/docker.json", LOGIN);
    fs::create_dir(world.home().join(".docker")).unwrap();
    symlink(&real, world.home().join(".docker/config.json")).unwrap();
    registry(&world, "logout docker://r.example").exits(0);
    assert_eq!(fs::read_to_string(&real).unwrap(), "{\n\t\"auths\": {}\n}\n");
    assert!(world.home().join(".docker/config.json").is_symlink());
}

#[test]
fn an_inaccessible_file_is_reported_before_any_prompt() {
    let Some(server) = Registry::basic(&[("ada", "pw")]) else { return };
    let world = World::new();
    let file = put(&world, ".docker/config.json", LOGIN);
    let login = ["registry", "login", "-u", "ada", "-p", "pw", &format!("docker://{}", server.host())];
    for (mode, words) in [(0o000, "chmod u+rw"), (0o400, "cannot write to")] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let Some(mut command) = world.command(As::User) else { return };
        fs::set_permissions(file.parent().unwrap(), fs::Permissions::from_mode(0o500)).unwrap();
        let shown = finish(command.args(login)).exits(255).says(words);
        assert!(shown.stderr.contains("config.json") || shown.stderr.contains(".docker"), "{shown:?}");
        fs::set_permissions(file.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(fs::read_to_string(file).unwrap(), LOGIN);
    assert_eq!(server.requests(), [""; 0], "a request was sent");
}

#[test]
fn certificates_for_single_registries_are_read_from_etc() {
    use crate::peers::ca::Ca;
    let ca = Ca::generate();
    let Some(server) = Registry::basic_tls(&[("ada", "pw")], &ca) else { return };
    let Some(namespaces) = private_mounts() else { return };
    let (world, host) = (World::new(), server.host());
    world.install();
    ca.write(&world.path("ca.crt"));
    let login = format!("{} registry login -u ada -p pw docker://{host}", world.exe().display());
    for directory in ["/etc/containers/certs.d", "/etc/docker/certs.d"] {
        // Mounts a temporary filesystem over /etc, visible only in this namespace.
        let script = format!(
            "set -e; cp /etc/passwd {0}/passwd; mount -t tmpfs none /etc; cp {0}/passwd /etc/; \
             {login} 2>&1 && exit 9; mkdir -p {directory}/{host}; cp {0}/ca.crt {directory}/{host}/ca.crt; {login} 2>&1",
            world.path("").display()
        );
        let mut command = Command::new("/usr/bin/unshare");
        command.args(namespaces).args(["/bin/sh", "-c", &script]);
        let shown = finish(command.env_clear().env("HOME", world.home()).env("PATH", "/usr/bin:/bin"));
        assert!(shown.code == 0 && shown.stdout.contains("unknown authority"), "{shown:?}");
        assert!(shown.stdout.contains("verified!"), "{shown:?}");
    }
}
