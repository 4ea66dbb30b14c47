//! A user's file with a secret that others can read, and the messages of every command if a token is withheld.

use crate::peers::endpoint::Endpoint;
use crate::peers::library::{Library, NewImage};
use crate::peers::sif::Sif;
use crate::pull;
use crate::world::{As, World, is_root, mode, words};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SECRET: &str = "\
Active: lab
Remotes:
  lab: {URI: 127.0.0.1:1, Token: t0ken}
";

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_readable_layer_with_a_secret_gives_a_warning_until_a_write_fixes_it() {
    let login = "Credentials: [{URI: https://k.example, Auth: Basic YTpi}]\n";
    for (text, warned) in [(SECRET, true), (login, true), ("Remotes: {lab: {URI: h}}\n", false)] {
        for bits in [0o644, 0o640, 0o604] {
            let world = World::new();
            world.write_user(text);
            chmod(&world.user_file(), bits);
            let file = world.user_file().display().to_string();
            let warning = format!(
                "WARNING: {file} is readable by others (mode {bits:04o}) and contains a token or password; to fix: "
            );
            for line in ["remote list", "remote list --json", "remote check", "registry list"] {
                let shown = world.run(As::Root, &words(line)).never_shows("t0ken").never_shows("YTpi");
                assert_eq!(shown.stderr.contains(&warning), warned, "{line}: {shown:?}");
                assert_eq!(
                    shown.stderr.contains(&format!("chmod 600 {file}\n")),
                    warned,
                    "{line}: {shown:?}"
                );
            }
            assert_eq!(mode(&world.user_file()), bits, "reading changes nothing");
            world.remote("add --no-login other other.example").exits(0).never_shows("is readable");
            assert_eq!(mode(&world.user_file()), 0o600);
            world.remote("list").exits(0).never_shows("is readable");
        }
    }
    let world = World::new();
    world.write_user(SECRET);
    world.remote("list").exits(0).never_shows("WARNING");
}

#[test]
fn a_readable_auth_file_with_a_secret_gives_a_warning() {
    let world = World::new();
    let file = world.path("auth.json");
    fs::write(&file, "{\"auths\":{\"r.example\":{\"auth\":\"YTpi\"}}}").unwrap();
    chmod(&file, 0o644);
    let world = world.with_env("APPTAINER_AUTH_FILE", file.as_os_str());
    let warning = format!(
        "WARNING: {0} is readable by others (mode 0644) and contains a token or password; to fix: chmod 600 {0}\n",
        file.display()
    );
    world.run(As::Root, &words("registry list")).exits(0).says(&warning);
    fs::write(&file, "{\"auths\":{\"r.example\":{}}}").unwrap();
    world.run(As::Root, &words("registry list")).exits(0).never_shows("is readable");
}

#[test]
fn every_command_reports_a_withheld_token_and_how_to_fix_it() {
    let endpoint = Endpoint::http();
    endpoint.accept_token("t0ken");
    let world = World::new();
    world.write_user(format!(
        "
Active: lab
Remotes:
  lab: {{URI: //{}, Insecure: true, Token: t0ken}}
",
        endpoint.host()
    ));
    world.remote("status --strict --json").prints("\"valid\"");
    chmod(&world.user_file(), 0o666);
    chmod(&world.user_dir(), 0o777);
    let (dir, file) = (world.user_dir().display().to_string(), world.user_file().display().to_string());
    // The home of this world belongs to root if root runs the tests.
    let ask = if is_root() { "ask your administrator to run: " } else { "" };
    let mend = format!("hint:    {ask}chmod go-w {dir} && chmod go-w {file}\n");
    let held =
        format!("the token for lab is not sent: {dir} is writable by others (mode 0777), and {file} is");
    for line in ["status", "status --strict", "status --json", "status --min-ttl 1h", "get-login-password"] {
        let code = if ["status", "status --json"].contains(&line) { 0 } else { 255 };
        let shown = world
            .remote(line)
            .exits(code)
            .says(&held)
            .says(&mend)
            .never_shows("remote login")
            .never_shows("t0ken");
        assert_eq!(shown.stderr.matches("hint:").count(), 1, "{shown:?}");
    }
    world.remote("status --json").prints("\"status\":\"unchecked\"").prints("is not sent");
    world.remote("status").prints("Authentication token was not sent: the token for lab is not sent");
    world.pipe("t0ken\n");
    world.remote("login").exits(255).says(&mend);
    chmod(&world.user_dir(), 0o700);
    chmod(&world.user_file(), 0o600);
    world.remote("status --json").prints("\"valid\"");
}

#[test]
fn a_pull_of_a_private_image_reports_the_withheld_token() {
    let library = Library::http();
    library.accept_token("t0ken");
    library.set(|settings| settings.public = false);
    library.add(NewImage::new("lab/tools/blast:v1", Sif::new("amd64").filled(9).bytes()));
    let world = World::new();
    world.write_user(pull::remote(&library, "t0ken"));
    let output = world.home().join("x.sif").display().to_string();
    let pull = ["pull", "-F", "--disable-cache", &output, "library://lab/tools/blast:v1"];
    world.run(As::User, &pull).exits(0);
    chmod(&world.user_file(), 0o666);
    let shown = world
        .run(As::User, &pull)
        .exits(255)
        .says("401 Unauthorized")
        .says("is not sent: ")
        .says(&format!("chmod go-w {}\n", world.user_file().display()))
        .never_shows("remote login")
        .never_shows("t0ken");
    assert_eq!(shown.stderr.matches("hint:").count(), 1, "{shown:?}");
}
