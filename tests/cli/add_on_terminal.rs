//! `remote add` at a terminal looks for the endpoint before it writes, and asks about one that does not answer.

use crate::peers::endpoint::{Behaviour, DISCOVERY, Endpoint};
use crate::world::World;

const TOKEN: &str = "tok3n";

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn an_endpoint_that_answers_is_asked_once_and_logged_in_to() {
    let (world, endpoint) = (World::new().on_terminal(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    world.answers.borrow_mut().push_back(Some(TOKEN.into()));
    world.remote(&format!("add -i lab {}", endpoint.url())).exits(0).says("Access Token Verified!");
    let asked = endpoint.requests();
    assert_eq!(asked.iter().filter(|request| request.path == DISCOVERY).count(), 1, "{asked:?}");
    assert!(world.user().contains(TOKEN));
}

#[test]
fn what_fails_anyway_fails_before_anybody_is_asked() {
    let world = World::new().on_terminal();
    world.write_user("Remotes:\n  lab: {URI: lab.example}\n");
    world.remote(&format!("add -i lab {NOBODY}")).exits(255).says("FATAL:   lab is already a remote");
    world.write_user("Remotes: [");
    world.remote(&format!("add -i new {NOBODY}")).exits(255).says("FATAL:   ").says("remote.yaml:");
}

#[test]
fn one_that_does_not_answer_is_added_only_if_the_user_says_so() {
    for (answer, code, says) in [
        (Some("n"), 255, "FATAL:   lab was not added\n"),
        (Some(""), 255, "FATAL:   lab was not added\n"),
        (None, 255, "FATAL:   lab was not added\n"),
        (Some("y"), 0, "INFO:    Remote \"lab\" added.\nINFO:    Not logged in. To log in later: "),
    ] {
        let world = World::new().on_terminal();
        world.answers.borrow_mut().push_back(answer.map(String::from));
        world
            .remote(&format!("add -i lab {NOBODY}"))
            .exits(code)
            .says("WARNING: while retrieving services: http://127.0.0.1:1/")
            .says("Add it anyway? [y/N] ")
            .says(says);
        assert_eq!(world.user_file().exists(), code == 0, "{answer:?}");
    }
}

#[test]
fn an_address_that_is_no_endpoints_is_doubted() {
    for behaviour in
        [Behaviour::Json(404, "{}".into()), Behaviour::Json(200, "<html>a page for people</html>".into())]
    {
        let (world, endpoint) = (World::new().on_terminal(), Endpoint::http());
        endpoint.set(DISCOVERY, behaviour);
        world.answers.borrow_mut().push_back(Some("n".into()));
        let doubt =
            format!("hint:    check the address: {} does not look like a remote endpoint\n", endpoint.host());
        world.remote(&format!("add -i lab {}", endpoint.url())).exits(255).says(&doubt);
    }
}

#[test]
fn without_a_login_or_a_terminal_nobody_is_asked() {
    for line in ["add --no-login -i lab", "add --no-login -i --no-default lab"] {
        let world = World::new().on_terminal();
        world.remote(&format!("{line} {NOBODY}")).exits(0);
        assert!(world.user_file().exists(), "{line}");
    }
    let world = World::new();
    world.remote(&format!("add -i lab {NOBODY}")).exits(0).says("INFO:    Remote \"lab\" added.");
}
