//! Merging two layers.

use super::*;

fn endpoint(uri: &str, system: bool, token: &str) -> Endpoint {
    Endpoint { uri: uri.into(), system, token: Secret::non_empty(token.into()), ..Endpoint::default() }
}

fn config(active: &str, remotes: &[(&str, Endpoint)]) -> Config {
    Config {
        active: active.into(),
        remotes: remotes.iter().map(|(name, e)| (name.to_string(), e.clone())).collect(),
        ..Config::default()
    }
}

fn merged(user: &Config, global: &Config) -> Effective {
    merge(user.clone(), global.clone(), Persona::Apptainer)
}

#[test]
fn notes_name_the_remote_and_the_command_for_its_layer() {
    let name = || "my lab".to_string();
    for (note, says) in [
        (Note::OwnFirst(name()), "\"my lab\" is defined globally and in your file; using yours"),
        (Note::OwnBehindExclusive(name()), "To remove yours: apptainer remote remove 'my lab'"),
        (Note::BreaksSingularity(name()), "To remove yours: apptainer remote remove 'my lab'"),
        (Note::Leftover(name()), "treating it as yours"),
        (
            Note::DanglingActive(name(), false),
            "the default remote \"my lab\" does not exist. Choose another: apptainer remote use NAME",
        ),
        (
            Note::DanglingActive(name(), true),
            "the global default remote \"my lab\" does not exist. Choose another: apptainer remote use --global NAME",
        ),
        (
            Note::TokenForOther(name(), "old.example".into()),
            "was issued for old.example. Log in again: apptainer remote login 'my lab'",
        ),
        (Note::NoUri(name(), Origin::Own), "Fix it with: apptainer remote add --replace 'my lab' URI"),
        (
            Note::NoUri(name(), Origin::Global),
            "Fix it with: apptainer remote add --global --replace 'my lab' URI",
        ),
    ] {
        let text = note.text("apptainer");
        assert!(text.contains(says) && text.contains("my lab"), "{note:?}: {text}");
    }
}

#[test]
fn only_the_exclusive_remote_can_be_used() {
    let global =
        config("", &[("g", endpoint("g.example", true, "")), ("h", endpoint("h.example", true, ""))]);
    assert!(merged(&config("", &[]), &global).require_usable("h").is_ok());
    let mut exclusive = global.clone();
    exclusive.remotes.get_mut("g").unwrap().exclusive = true;
    let effective = merged(&config("", &[]), &exclusive);
    assert!(effective.require_usable("g").is_ok());
    let refused = effective.require_usable("h").unwrap_err();
    assert_eq!(
        refused.message(),
        "could not use h: remote g has been set exclusive by the system administrator"
    );
}

#[test]
fn the_users_default_overrides_the_global_one() {
    let global = config("g", &[("g", endpoint("g.example", true, ""))]);
    assert_eq!(merged(&config("", &[]), &global).default.as_deref(), Some("g"));
    let user = config("o", &[("o", endpoint("o.example", false, ""))]);
    assert_eq!(merged(&user, &global).default.as_deref(), Some("o"));
    let dangling = merged(&config("gone", &[]), &global);
    assert_eq!(dangling.default.as_deref(), Some("g"));
    assert_eq!(dangling.notes, [Note::DanglingActive("gone".into(), false)]);
}

#[test]
fn an_exclusive_remote_is_the_default_and_hides_the_users_remote() {
    let mut exclusive = endpoint("g.example", true, "");
    exclusive.exclusive = true;
    let global = config("", &[("g", exclusive)]);
    let user = config("g", &[("g", endpoint("evil.example", false, "t"))]);
    let effective = merged(&user, &global);
    assert_eq!(effective.default.as_deref(), Some("g"));
    assert_eq!(effective.remotes["g"].uri, "g.example");
    assert!(effective.remotes["g"].token.is_none());
    assert_eq!(effective.notes, [Note::OwnBehindExclusive("g".into())]);
}

#[test]
fn a_token_belongs_to_an_address_not_to_a_name() {
    let global = config("g", &[("g", endpoint("g.example", true, "never shown"))]);
    for (uri, insecure, counts) in [
        ("g.example", false, true),
        ("//G.example:443/", false, true),
        ("old.example", false, false),
        ("g.example", true, false),
        ("", false, false),
    ] {
        let mut entry = endpoint(uri, true, "t");
        entry.insecure = insecure;
        let effective = merged(&config("", &[("g", entry)]), &global);
        assert_eq!(effective.remotes["g"].token.is_some(), counts, "{uri} {insecure}");
        assert_eq!(effective.notes.is_empty(), counts, "{uri} {insecure}");
    }
}

#[test]
fn the_users_remote_hides_a_global_one_and_a_leftover_counts_as_the_users() {
    let global = config("g", &[("g", endpoint("g.example", true, ""))]);
    let user = config("", &[("g", endpoint("mine.example", false, "t")), ("old", endpoint("x", true, ""))]);
    let effective = merged(&user, &global);
    assert_eq!(effective.remotes["g"].origin, Origin::Own);
    assert_eq!(effective.remotes["old"].origin, Origin::Leftover);
    assert_eq!(effective.notes, [Note::OwnFirst("g".into()), Note::Leftover("old".into())]);
    let notes = merge(user, global, Persona::Singularity).notes;
    assert_eq!(notes[0], Note::BreaksSingularity("g".into()));
}

#[test]
fn a_users_file_cannot_make_a_remote_exclusive() {
    let mut entry = endpoint("x.example", true, "");
    entry.exclusive = true;
    let effective = merged(&config("", &[("x", entry)]), &Config::default());
    assert_eq!(effective.exclusive, None);
    assert_eq!(effective.default, None);
}
