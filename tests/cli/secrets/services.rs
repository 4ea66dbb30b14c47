//! Passwords of services, and tokens of libraries.

use super::*;

#[test]
fn the_password_of_a_service_is_only_in_its_file() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode("ada:canary-pw");
    let wanted = format!("Basic {encoded}");
    // The server echoes what it received, as some servers do.
    let server = Endpoint::answering(move |request| match request.header("authorization") {
        Some(login) if login == wanted => (200, "{}".into()),
        login => (401, format!(r#"{{"message":"canary-pw or {login:?}?"}}"#)),
    });
    let basic = "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"x\"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let open = Endpoint::answering(|_| (200, "{}".into()));
    for (group, uri, file) in [
        ("keyserver", format!("hkp://{}", server.host()), ".apptainer/remote.yaml"),
        ("registry", format!("docker://{}", open.host()), ".docker/config.json"),
    ] {
        let world = World::new();
        if group == "keyserver" {
            world.run(As::Root, &["keyserver", "add", &uri]).exits(0);
        }
        let run = |line: &str| {
            let shown = world.run(As::User, &words(&format!("-d {line}")));
            shown.never_shows("canary").never_shows(&encoded)
        };
        let login = |password: &str| {
            world.pipe(password);
            run(&format!("{group} login -u ada {uri}"))
        };
        login("canary-pw").exits(0);
        let holder = [world.home().join(file)];
        assert_eq!((holders(&world, &encoded), holders(&world, "canary")), (holder.to_vec(), vec![]));
        for line in
            ["registry list", "registry list -j", "keyserver list -j", "remote list -a", "remote list -j"]
        {
            run(line).exits(0);
        }
        run(&format!("{group} login -u ada -p canary-wrong {uri}"));
        run(&format!("{group} login -u ada --password=canary-wrong --pasword {uri}")).exits(1);
        run(&format!("{group} logout {uri}")).exits(0);
        assert!(holders(&world, &encoded).is_empty());
    }
    let world = World::new();
    open.set("/v2/", Behaviour::Raw(basic.into()));
    world.pipe("canary-pw");
    let line = words(&format!("-d registry login -u ada docker://{}", open.host()));
    world.run(As::User, &line).exits(255).never_shows("canary").never_shows(&encoded);
}

/// Runs every image command once, each with `-d`.
fn images(world: &World, name: &str) -> Vec<Shown> {
    let image = world.home().join("image.sif").display().to_string();
    let output = world.home().join(format!("{name}.sif")).display().to_string();
    let (mine, theirs) = (format!("library://lab/tools/{name}:v1"), "library://lab/tools/blast:v1");
    let lines: [&[&str]; 6] = [
        &["search", "blast"],
        &["search", "-j", "blast"],
        &["pull", "--disable-cache", "-F", &output, theirs],
        &["pull", "-F", &output, theirs],
        &["push", &image, &mine],
        &["delete", "-F", &mine],
    ];
    let run = |words: &&[&str]| {
        let shown = world.run(As::User, &[&["-d"], *words].concat());
        shown.never_shows("canary").never_shows("Signature=")
    };
    lines.iter().map(run).collect()
}

#[test]
fn image_commands_never_show_the_token() {
    let signer = "0123456789ABCDEF0123456789ABCDEF01234567";
    let library = Library::http();
    library.accept_token(TOKEN);
    library.set(|settings| settings.api_version = Some("2.0.0-alpha.2".into()));
    library
        .add(NewImage::new("lab/tools/blast:v1", Sif::new("amd64").filled(100_000).signed(signer).bytes()));
    let mut world = World::new();
    world.set_env("APPTAINER_PULL_ARCH", "amd64");
    world.set_env("APPTAINER_ARCH", "amd64");
    world.write_user(format!(
        "
Active: lab
Remotes:
    lab: {{URI: //{}, Token: {TOKEN}, Insecure: true}}
",
        library.host()
    ));
    fs::write(world.home().join("image.sif"), Sif::new("amd64").filled(90_000).signed(signer).bytes())
        .unwrap();
    for shown in images(&world, "mine") {
        shown.exits(0);
    }
    assert_eq!(holders(&world, "canary"), [world.user_file()]);
    let echo = format!("who is {TOKEN}?");
    let elsewhere = Library::http();
    let away = |path: &str| Fault::redirect(307, &format!("{}/{path}", elsewhere.url()));
    for (at, fault) in [
        Fault::error(401, "no"),
        Fault::error(500, "no"),
        Fault::Close,
        away("x"),
        away(TOKEN),
        Fault::redirect(302, &format!("ftp://{TOKEN}.invalid/")),
        Fault::Answer(200, Vec::new(), echo.clone().into()),
        Fault::Answer(200, vec![("Content-Type", "application/json".into())], b"{}".to_vec()),
    ]
    .into_iter()
    .enumerate()
    {
        for prefix in ["/library/v1", "/library/v2", "/data"] {
            for method in ["GET", "POST", "PUT", "DELETE"] {
                library.clear_faults();
                library.fault(When::new(method, prefix), fault.clone());
                images(&world, &format!("mine-{at}"));
                assert_eq!(holders(&world, "canary"), [world.user_file()], "{fault:?} {method} {prefix}");
            }
        }
    }
    let all =
        library.requests().into_iter().filter(|seen| seen.port == Port::Data).chain(elsewhere.requests());
    let sent: Vec<_> = all.filter(|seen| seen.request.header("authorization").is_some()).collect();
    assert!(sent.is_empty(), "{sent:#?}");
    assert!(!elsewhere.requests().is_empty() && library.faults_hit() > 0);
}

#[test]
fn a_token_from_the_environment_is_only_sent_to_its_host() {
    let endpoint = Endpoint::http();
    let mut world = lab(&endpoint, None);
    world.set_env("APPTAINER_TOKEN", TOKEN);
    let host = endpoint.host();
    let port = host.rsplit_once(':').unwrap().1;
    let sent = |world: &World, named: &str| {
        let before = endpoint.requests().len();
        debug(world, "status").never_shows("canary");
        let requests = endpoint.requests().split_off(before);
        assert!(!requests.is_empty(), "{named}");
        requests.iter().any(|request| request.header("authorization").is_some())
    };
    for named in ["127.0.0.1", &host] {
        world.set_env("APPTAINER_TOKEN_HOST", named);
        assert!(sent(&world, named), "{named}: the token was not sent to {host}");
    }
    for named in [
        "1",
        ".1",
        "0.0.1",
        "27.0.0.1",
        "127",
        "127.0.0.",
        "x127.0.0.1",
        "127.0.0.1.example.com",
        "*",
        port,
        &format!(":{port}"),
        &format!("0.0.1:{port}"),
        &format!("{host}0"),
        &format!("http://{host}"),
        "127.0.0.1:1",
    ] {
        world.set_env("APPTAINER_TOKEN_HOST", named);
        assert!(!sent(&world, named), "{named}: the token was sent to {host}");
    }
}
