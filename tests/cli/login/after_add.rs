//! The login that follows `remote add`.

use super::*;

#[test]
fn empty_input_fails_login_but_not_add() {
    let (world, endpoint) = lab();
    world.remote("login").exits(255).says("no token").says("--tokenfile");
    endpoint.forget();
    let shown = world.remote(&format!("add -i second {}", endpoint.url())).exits(0);
    assert!(
        shown.stderr.contains("Remote \"second\" added")
            && shown.stderr.contains("apptainer remote login second")
    );
    assert!(endpoint.requests().is_empty(), "only a login sends requests");
}

#[test]
fn add_logs_in_and_keeps_the_remote_if_that_fails() {
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    world
        .pipe("wrong")
        .remote(&format!("add -i lab {}", endpoint.url()))
        .exits(255)
        .says("Invalid Credentials")
        .says("The remote was added.")
        .says("apptainer remote login lab");
    assert!(world.user().contains("lab:"));
    world.pipe(TOKEN).remote(&format!("add -i two {}", endpoint.url())).exits(0).says("Token stored in");
    let file = world.path("token");
    fs::write(&file, TOKEN).unwrap();
    world.remote(&format!("add -i three --tokenfile {} {}", file.display(), endpoint.url())).exits(0);
    assert_eq!(world.user().matches(TOKEN).count(), 2);
}

#[test]
fn a_token_file_with_replace_logs_in_even_if_the_address_is_the_same() {
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
fn adding_an_existing_remote_with_a_token_file_logs_in() {
    let (world, endpoint) = lab();
    let file = world.path("token");
    fs::write(&file, TOKEN).unwrap();
    let again = format!("add --if-absent -i lab {}", endpoint.url());
    endpoint.forget();
    world.remote(&again).exits(0).says("nothing changed");
    assert!(endpoint.requests().is_empty());
    world.remote(&format!("{again} --tokenfile {}", file.display())).exits(0).says("Token stored in");
    assert!(world.user().contains(TOKEN));
    let replace = again.replace("--if-absent", "--replace");
    world.remote(&replace).exits(0).says("keeping the stored one");
    assert!(world.user().contains(TOKEN));
}

#[test]
fn without_a_token_service_there_is_no_hint_to_log_in_later() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let world = World::new();
    let shown =
        world.pipe(TOKEN).remote("add cloud cloud.apptainer.org").exits(255).says("The remote was added.");
    assert!(!shown.stderr.contains("later"), "{shown:?}");
}

#[test]
fn an_unreadable_token_file_fails_before_any_request() {
    let endpoint = Endpoint::http();
    let world = World::new();
    world.write_user(format!(
        "
Active: lab
Remotes:
  lab: {{URI: //{}, Insecure: true}}
",
        endpoint.host()
    ));
    world.remote("login --tokenfile /nonexistent/typo").exits(255).says("/nonexistent/typo");
    assert!(endpoint.requests().is_empty());
}
