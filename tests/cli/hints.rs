//! A hint is the command that was typed plus what was missing: its options are kept and its address is filled
//! in.

use crate::world::World;

#[test]
fn hints_repeat_the_options_that_were_typed() {
    for (line, hint) in [
        (
            "remote add --global --no-default -i lab http://lab.example.com:8080",
            "{sudo}remote add --global --no-default --insecure lab lab.example.com:8080",
        ),
        (
            "remote add --no-default --no-login lab http://lab.example.com",
            "apptainer remote add --no-default --no-login --insecure lab http://lab.example.com",
        ),
        (
            "remote add --no-login there other.example.com",
            "to replace its address: apptainer remote add --no-login --replace there other.example.com",
        ),
        ("remote use --exclusive lab", "{sudo}remote use --exclusive lab"),
        ("remote rename --global lab new", "{sudo}remote rename --global lab new"),
        (
            "keyserver add -i --order 2 lab https://keys.example.com",
            "{sudo}keyserver add --insecure --order 2 lab https://keys.example.com",
        ),
        (
            "remote add-keyserver https://keys.example.com",
            "{sudo}remote add-keyserver https://keys.example.com",
        ),
        (
            "remote remove-keyserver https://keys.example.com",
            "{sudo}remote remove-keyserver https://keys.example.com",
        ),
        ("keyserver remove https://ada:pw@keys.example.com", "{sudo}keyserver remove URI"),
    ] {
        let world = World::new();
        world.write_user("Remotes: {there: {URI: there.example.com}}\n");
        let words = crate::world::words(line);
        let hint = hint.replace("{sudo}", &world.sudo());
        world
            .run(crate::world::As::User, &words)
            .exits(255)
            .says(&format!("hint:    {hint}\n"))
            .never_shows("pw");
    }
}
