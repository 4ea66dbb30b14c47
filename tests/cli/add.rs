//! `remote add`: the effects of options, the whole file on disk, and invalid input.

use crate::world::{As, World, apptainer_alone, mode};
use apptainer_remote::persona::Persona;
use std::fs;

const ONE: &str = "\
Active: lab
Remotes:
    lab:
        URI: lab.example.com
        System: false
        Exclusive: false
";

#[test]
fn the_first_remote_is_the_default_and_its_file_and_directory_are_private() {
    let world = World::new();
    let shown = world.remote("add --no-login lab https://lab.example.com/").exits(0);
    assert_eq!(shown.stdout, "");
    assert_eq!(shown.stderr, "INFO:    Remote \"lab\" added.\n");
    assert_eq!(world.user(), ONE);
    assert_eq!((mode(&world.user_file()), mode(&world.user_dir())), (0o600, 0o700));
}

#[test]
fn options_are_accepted_anywhere() {
    for line in [
        "add lab lab.example.com --no-login",
        "add lab --no-login lab.example.com",
        "add --no-login -- lab lab.example.com",
    ] {
        let world = World::new();
        world.remote(line).exits(0);
        assert_eq!(world.user(), ONE, "{line}");
    }
}

#[test]
fn addresses_are_stored_in_a_form_the_real_programs_can_use() {
    for (options, typed, stored, says) in [
        ("", "lab.example.com:8443/x/../y/", "//lab.example.com:8443/y", "INFO:    Remote \"lab\" added."),
        ("", "[::1]", "//[::1]", "INFO:    Remote \"lab\" added."),
        ("", "https://bücher.example/%41b", "bücher.example/%41b", "INFO:    Remote \"lab\" added."),
        ("-i", "http://localhost:5000", "//localhost:5000", "INFO:    Remote \"lab\" added."),
        ("-i", "localhost", "localhost", "INFO:    Remote \"lab\" added."),
        ("", "https://ada:sesame@lab.example.com/?q#f", "lab.example.com", "user info"),
        ("-i", "https://lab.example.com", "lab.example.com", "--insecure ignored for https remote"),
    ] {
        let world = World::new();
        let shown = world
            .remote(&format!("add --no-login {options} lab {typed}"))
            .exits(0)
            .says(says)
            .never_shows("sesame");
        assert!(
            world.user().contains(&format!("        URI: {stored}\n")),
            "{typed}: {} {shown:?}",
            world.user()
        );
        let insecure = !options.is_empty() && !typed.starts_with("https");
        assert_eq!(world.user().contains("Insecure: true"), insecure, "{typed}");
        world.remote("use lab").exits(0);
        assert!(world.remote("list").exits(0).stdout.contains(stored.trim_start_matches('/')));
    }
}

#[test]
fn bad_names_and_addresses_change_nothing() {
    let world = World::new();
    for (name, uri, says) in [
        (" ", "h", "cannot be blank"),
        ("a\nb", "h", "control characters"),
        ("a\u{1b}[2J", "h", "control characters"),
        ("docker://x", "h", "://"),
        ("lab", " ", "spaces"),
        ("lab", "ftp://h", "use https or http"),
        ("lab", "h:0", "1 to 65535"),
        ("lab", "h:99999", "1 to 65535"),
        ("lab", "https://h:8a", "1 to 65535"),
        ("lab", "h:", "port after the colon is missing"),
        ("lab", "https://h:/p", "port after the colon is missing"),
        ("lab", "::1", "needs brackets"),
        ("lab", "https://fe80::1:443/p", "needs brackets"),
        ("lab", "[::1", "the IPv6 address has no closing bracket"),
        ("lab", "https://[::1:443/p", "the IPv6 address has no closing bracket"),
        ("lab", "https:/h", "the two slashes after the colon are missing"),
        ("lab", "HTTP:h.example/p", "the two slashes after the colon are missing"),
        ("lab", "https://", "host is missing"),
        ("lab", "https:///p", "host is missing"),
        ("lab", "https://[zz]/", "host name is not valid"),
        ("lab", "a b", "spaces"),
        ("lab", "h\u{1b}[2J", "control characters"),
        ("lab", "http://h", "http URI requires --insecure or APPTAINER_ADD_INSECURE=true"),
        ("lab", "https://ada:sesame@h:0", "1 to 65535"),
    ] {
        let shown = world
            .run(As::User, &["remote", "add", "--no-login", name, uri])
            .exits(255)
            .says("FATAL:   ")
            .says(says);
        assert_eq!(shown.stdout, "");
        shown.never_shows("\u{1b}").never_shows("sesame");
        assert!(!world.user_dir().exists(), "{name} {uri}");
    }
    world
        .run(As::User, &["remote", "add", "--no-login", "--", "-x", "h"])
        .exits(255)
        .says("cannot start with");
    assert!(!world.user_dir().exists());
}

#[test]
fn wrong_command_lines_exit_1_with_usage() {
    let world = World::new();
    for (line, says) in [
        ("add", "NAME"),
        ("add lab", "URI"),
        ("add lab h --nosuch", "--nosuch"),
        ("add -g --tokenfile f lab h", "--tokenfile"),
        ("add --no-login --tokenfile f lab h", "--tokenfile"),
        ("add --if-absent --replace lab h", "--replace"),
        ("ad lab h", "add"),
    ] {
        let shown = world.remote(line).exits(1).says(says).says("Usage: apptainer remote");
        assert_eq!(shown.stdout, "", "{line}");
    }
    assert!(!world.user_dir().exists());
}

#[test]
fn an_existing_name_is_an_error_and_the_file_is_unchanged() {
    let world = World::new();
    // Indented differently from our format, so that a needless write would show.
    let file = "\
Active: lab
Remotes:
  lab: {URI: lab.example.com, Token: t0ken}
";
    world.write_user(file);
    world
        .remote("add --no-login lab other.example.com")
        .exits(255)
        .says("FATAL:   lab is already a remote\n")
        .says("--replace");
    world
        .remote("add --no-login --if-absent lab other.example.com")
        .exits(255)
        .says("lab is already a remote");
    world
        .remote("add --no-login --if-absent lab https://LAB.example.com:443/")
        .exits(0)
        .says("nothing changed");
    assert_eq!(world.user(), file);
    let shown = world.remote("add --no-login --if-absent --json lab lab.example.com").exits(0);
    assert_eq!(shown.stdout, "{\"version\":1,\"changed\":false}\n");
}

#[test]
fn replace_keeps_the_token_only_if_the_address_is_the_same() {
    for (uri, kept) in
        [("LAB.example.com", true), ("other.example.com", false), ("lab.example.com:444", false)]
    {
        let world = World::new();
        world.write_user("Remotes: {lab: {URI: lab.example.com, Token: t0ken}}\n");
        world.remote(&format!("add --no-login --replace lab {uri}")).exits(0);
        assert_eq!(world.user().contains("t0ken"), kept, "{uri}");
        assert!(world.user().starts_with("Active: lab\n"));
    }
}

#[test]
fn a_remote_replacing_an_exclusive_leftover_is_not_exclusive() {
    let world = World::new();
    world.write_user("Remotes: {old: {URI: old.example.com, System: true, Exclusive: true}}\n");
    world.remote("add --no-login --replace old new.example.com").exits(0);
    assert!(world.user().contains("new.example.com") && !world.user().contains("true"), "{}", world.user());
    world.root_remote("add --global company company.example").exits(0);
    world.root_remote("use --exclusive company").exits(0);
    world.root_remote("add --global --replace company other.example").exits(0);
    assert!(world.global().contains("Exclusive: true"), "the administrator's setting is kept");
}

#[test]
fn global_needs_root_and_never_opens_the_user_layer() {
    let world = World::new();
    world.remote("add -g lab lab.example.com").exits(255).says("not root user").says("sudo");
    world.write_user(": broken");
    let shown = world.root_remote("add --global lab lab.example.com").exits(0);
    assert_eq!(
        shown.stderr,
        "INFO:    Remote \"lab\" added.\nINFO:    Global option detected. Will not automatically log into remote.\n"
    );
    assert_eq!(
        world.global(),
        "\
Active: lab
Remotes:
    DefaultRemote:
        URI: cloud.apptainer.org
        System: true
        Exclusive: false
    lab:
        URI: lab.example.com
        System: true
        Exclusive: false
"
    );
    assert_eq!(mode(&world.global_file()), 0o644);
    assert_eq!(world.user(), ": broken");
}

#[test]
fn the_first_global_write_adds_the_built_in_remote_to_the_file() {
    for (persona, built_in) in
        [(Persona::Apptainer, "cloud.apptainer.org"), (Persona::Singularity, "cloud.sylabs.io")]
    {
        let world = World::bare(persona);
        world.root_remote("add -g -n lab lab.example.com").exits(0);
        assert!(
            world.global().contains(built_in) && world.global().contains("lab.example.com"),
            "{}",
            world.global()
        );
        assert!(!world.global().starts_with("Active: lab"));
    }
}

#[test]
fn a_global_name_can_be_added_in_apptainer_and_is_refused_in_singularity() {
    if apptainer_alone("a name in both layers is refused there") {
        return;
    }
    let world = World::new();
    world.remote("add --no-login DefaultRemote mine.example.com").exits(0);
    world
        .remote("list")
        .exits(0)
        .prints("mine.example.com")
        .says("INFO:    \"DefaultRemote\" is defined globally");
    let world = World::singularity();
    world.remote("add --no-login SylabsCloud mine.example.com").exits(255).says("already a global remote");
    assert!(!world.user_dir().exists());
}

#[test]
fn a_copy_of_a_global_remote_is_not_the_users_own() {
    if apptainer_alone("a name in both layers is refused there") {
        return;
    }
    let world = World::new();
    world.write_user("Remotes: {DefaultRemote: {URI: cloud.apptainer.org, System: true}}\n");
    world.remote("add --no-login DefaultRemote mine.example.com").exits(0);
    assert!(world.user().contains("URI: mine.example.com") && !world.user().contains("System: true"));
}

#[test]
fn a_new_remote_cannot_be_used_while_another_is_exclusive() {
    let world = World::new();
    world.root_remote("use --exclusive DefaultRemote").exits(0);
    world
        .remote("add --no-login lab lab.example.com")
        .exits(0)
        .says("lab cannot be used")
        .says("DefaultRemote has been set exclusive");
    assert!(world.user().contains("lab.example.com"));
    world.root_remote("add --global company company.example").exits(0).says("company cannot be used");
    let shown = world.root_remote("add --global --if-absent DefaultRemote cloud.apptainer.org").exits(0);
    assert!(!shown.stderr.contains("cannot be used"), "{shown:?}");
}

#[test]
fn a_token_for_a_remote_hidden_by_an_exclusive_one_is_not_ignored() {
    if apptainer_alone("a name in both layers is refused there") {
        return;
    }
    let world = World::new();
    world.root_remote("use --exclusive DefaultRemote").exits(0);
    let words = "not logged in: your remote DefaultRemote is hidden by the exclusive global one";
    world.remote("add DefaultRemote a.example.com").exits(0).says(&format!("INFO:    {words}"));
    let file = world.path("token");
    std::fs::write(&file, "canary\n").unwrap();
    let named = format!("add --replace --tokenfile {} DefaultRemote b.example.com", file.display());
    for line in [named.as_str(), "add --replace DefaultRemote c.example.com"] {
        world
            .pipe("canary\n")
            .remote(line)
            .exits(255)
            .says(&format!("FATAL:   {words}"))
            .says("The remote was added");
        assert!(world.user().contains(line.split(' ').next_back().unwrap()));
        assert!(!world.user().contains("canary"));
    }
}

#[test]
fn environment_variables_set_options() {
    if apptainer_alone("there is only one prefix there") {
        return;
    }
    let world = World::new().with_env("APPTAINER_ADD_INSECURE", "true");
    world.remote("add --no-login lab http://lab.example.com").exits(0);
    assert!(world.user().contains("Insecure: true"));
    let world = World::new().with_env("SINGULARITY_ADD_INSECURE", "1");
    world
        .remote("add --no-login lab http://lab.example.com")
        .exits(0)
        .says("APPTAINER_ADD_INSECURE is preferred");
}

#[test]
fn failures_happen_before_anything_is_added() {
    let world = World::new();
    let file = world.path("token");
    let named = file.display().to_string();
    let add = |line: &str| world.remote(&format!("add --tokenfile {line} lab lab.example.com")).exits(255);
    add("/nonexistent/typo").says("while reading token file /nonexistent/typo");
    add("/").says("it is a directory");
    for (text, why) in
        [("", "is empty"), ("two words\n", "contains spaces"), ("tökén\n", "invalid characters")]
    {
        fs::write(&file, text).unwrap();
        add(&named).says(why).never_shows("added");
    }
    world.pipe("two words\n");
    world.remote("add lab lab.example.com").exits(255).says("the token from standard input contains spaces");
    world.pipe("two words\n");
    add("-").says("contains spaces");
    assert!(!world.user_file().exists(), "nothing was written");
}

#[test]
fn unread_input_is_left_for_the_next_command() {
    for line in [
        "add --no-login lab h.example",
        "add --no-login --if-absent lab h.example",
        "add --if-absent lab h.example",
    ] {
        let world = World::new();
        world.write_user("Remotes: {lab: {URI: h.example}}\n");
        world.pipe("not a token\n");
        world.remote(line).never_shows("the token from");
    }
}

#[test]
fn replace_reports_that_the_token_is_removed() {
    let world = World::new();
    world.write_user("Remotes: {lab: {URI: old.example.com, Token: t0ken}}\n");
    world.remote("add --no-login --replace lab old.example.com").exits(0).never_shows("WARNING");
    world
        .remote("add --no-login --replace lab new.example.com")
        .exits(0)
        .says("WARNING: the token for lab was issued for old.example.com and was removed. Log in again: apptainer remote login lab")
        .never_shows("t0ken");
    world.remote("add --no-login --replace lab third.example.com").exits(0).never_shows("WARNING");
}
