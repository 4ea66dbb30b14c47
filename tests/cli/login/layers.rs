//! Tokens for global remotes, and logging out.

use super::*;

#[test]
fn a_global_remotes_token_belongs_to_the_user_and_the_address() {
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    world.root_remote(&format!("add -g -i company {}", endpoint.url())).exits(0);
    let global = world.global();
    world.pipe(TOKEN).remote("login").exits(0);
    assert_eq!(
        world.user(),
        format!(
            "\
Active: \"\"
Remotes:
    company:
        URI: //{}
        Token: {TOKEN}
        System: true
        Exclusive: false
        Insecure: true
",
            endpoint.host()
        )
    );
    assert_eq!(world.global(), global);
    let other = Endpoint::http();
    world.root_remote(&format!("add -g -i --replace company {}", other.url())).exits(0);
    world
        .remote("status")
        .exits(0)
        .says(&format!("the stored token for \"company\" was issued for {}", endpoint.host()))
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
    world.remote("logout").exits(0).says("WARNING: not logged in to lab");
    world.remote("logout nosuch").exits(255).says("nosuch is not a remote");
    world.remote("logout lab --all").exits(1);
}

#[test]
fn logout_all_removes_every_token_and_login() {
    let world = World::new();
    world.write_user(
        "
Remotes:
  a: {URI: a, Token: one}
  b: {URI: b, Token: two}
  DefaultRemote: {URI: x, Token: three, System: true}
",
    );
    world.remote("logout --all").exits(0).says("a, b").says("Logout succeeded");
    assert!(!world.user().contains("Token") && !world.user().contains("DefaultRemote"));
    world.remote("logout --all").exits(0).says("WARNING: not logged in anywhere");
    world.write_user(
        "
Remotes:
  a: {URI: a, Token: one}
Credentials:
  - {URI: docker://r.example}
  - {URI: hkps://k.example, Auth: Bearer x}
",
    );
    world
        .remote("logout --all")
        .exits(0)
        .says("The token for a was removed from ")
        .says("docker://r.example, hkps://k.example were");
    assert!(!world.user().contains("Token") && !world.user().contains("Credentials"));
}

#[test]
fn a_users_remote_hidden_by_an_exclusive_one_keeps_its_address_and_token() {
    if apptainer_alone("a name that both layers have is refused there") {
        return;
    }
    let (world, company, own) = (World::new(), Endpoint::http(), Endpoint::http());
    company.accept_token(TOKEN);
    own.accept_token(TOKEN);
    world.root_remote(&format!("add -g -i corp {}", company.url())).exits(0);
    world.root_remote("use -e corp").exits(0);
    world.pipe(TOKEN).remote(&format!("add -i corp {}", own.url())).exits(255).says("corp cannot be used");
    assert!(company.requests().is_empty() && own.requests().is_empty(), "no login to the other one");
    assert!(world.user().contains(&own.host()) && !world.user().contains(TOKEN));
    world.write_user(world.user().replace("System: false", "Token: mine\n        System: false"));
    let before = world.user();
    world
        .pipe(TOKEN)
        .remote("login corp")
        .exits(255)
        .says("cannot store a token for the global remote corp")
        .says("apptainer remote remove corp");
    assert!(company.requests().is_empty());
    world.remote("logout corp").exits(0).says("nothing to remove");
    assert_eq!(world.user(), before);
    world.remote("logout --all").exits(0);
    assert!(!world.user().contains("mine"));
}
