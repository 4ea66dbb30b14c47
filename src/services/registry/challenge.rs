//! Parser for `WWW-Authenticate`, with which a server says which login it requires (RFC 9110, section 11).

/// The maximum number of challenges, and of parameters per challenge. No real server has more, and a header with many
/// would be slow to parse.
const MOST: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// `basic`, `bearer` …, in lower case.
    pub scheme: String,
    /// Names in lower case and values without quotes, in the order of the header.
    params: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter. `name` must be in lower case.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Parses one value of the header, which may contain several challenges.
///
/// # Errors
/// What is wrong with the value, without quoting any of it.
pub fn parse(header: &str) -> Result<Vec<Challenge>, &'static str> {
    let mut rest = Cursor(header);
    let mut challenges: Vec<Challenge> = Vec::new();
    loop {
        while rest.eat_blanks() || rest.eat(',') {}
        if rest.0.is_empty() {
            return Ok(challenges);
        }
        let word = rest.token().ok_or("a scheme or a name is missing")?;
        let blanks = rest.eat_blanks();
        if !rest.0.starts_with('=') || challenges.is_empty() {
            if !(blanks || rest.0.is_empty() || rest.0.starts_with(',')) {
                return Err("a scheme is not followed by a space");
            }
            if challenges.len() == MOST {
                return Err("too many challenges");
            }
            challenges.push(Challenge { scheme: word.to_ascii_lowercase(), params: Vec::new() });
            // Skip the token of `Negotiate TOKEN==`. The supported schemes do not have this form.
            rest.token68();
            continue;
        }
        let challenge = challenges.last_mut().expect("looked at above");
        let name = word.to_ascii_lowercase();
        if challenge.param(&name).is_some() {
            return Err("a parameter is repeated");
        }
        if challenge.params.len() == MOST {
            return Err("too many parameters");
        }
        rest.eat('=');
        rest.eat_blanks();
        let value = rest.value()?;
        rest.eat_blanks();
        if !(rest.0.is_empty() || rest.0.starts_with(',')) {
            return Err("a comma is missing between two parameters");
        }
        challenge.params.push((name, value));
    }
}

struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn eat(&mut self, c: char) -> bool {
        let rest = self.0.strip_prefix(c);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn eat_blanks(&mut self) -> bool {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let some = rest.len() < self.0.len();
        self.0 = rest;
        some
    }

    fn token(&mut self) -> Option<&'a str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let (token, rest) = self.0.split_at(self.0.find(|c| !is_token(c)).unwrap_or(self.0.len()));
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// Skips a token68 if it is the whole rest of a challenge.
    fn token68(&mut self) {
        let is_inside = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let body = self.0.trim_start_matches(is_inside);
        let rest = body.trim_start_matches('=').trim_start_matches([' ', '\t']);
        let some = body.len() < self.0.len();
        let (next_is_scheme, ended) =
            (body.starts_with([' ', '\t']), rest.is_empty() || rest.starts_with(','));
        if some && ended && !next_is_scheme {
            self.0 = rest;
        }
    }

    fn value(&mut self) -> Result<String, &'static str> {
        if !self.eat('"') {
            return self.token().map(String::from).ok_or("a parameter has no value");
        }
        let mut value = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Ok(value);
                }
                '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                c => value.push(c),
            }
        }
        Err("a quoted value is not terminated")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Formats each challenge as `scheme name=value …`.
    fn read(header: &str) -> Result<Vec<String>, &'static str> {
        let text = |challenge: &Challenge| {
            let params = challenge.params.iter().map(|(name, value)| format!(" {name}={value}"));
            std::iter::once(challenge.scheme.clone()).chain(params).collect()
        };
        parse(header).map(|all| all.iter().map(text).collect())
    }

    #[test]
    fn challenges_of_real_registries_are_parsed() {
        for (header, expected) in [
            (r#"Basic realm="lab-realm""#, vec!["basic realm=lab-realm"]),
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#,
                vec!["bearer realm=https://auth.docker.io/token service=registry.docker.io"],
            ),
            (
                r#"bearer Realm = "a,b" , scope="repository:x:pull,push",error=invalid_token"#,
                vec!["bearer realm=a,b scope=repository:x:pull,push error=invalid_token"],
            ),
            (r#"Negotiate, Basic realm="x\"y""#, vec!["negotiate", "basic realm=x\"y"]),
            (
                r#"Negotiate YWJj==, Bearer realm="r", Basic realm=b"#,
                vec!["negotiate", "bearer realm=r", "basic realm=b"],
            ),
            (r#"Basic"#, vec!["basic"]),
            (r#", ,Basic realm="",,"#, vec!["basic realm="]),
            ("", vec![]),
        ] {
            assert_eq!(read(header), Ok(expected.into_iter().map(String::from).collect()), "{header}");
        }
    }

    #[test]
    fn malformed_challenges_are_refused() {
        for header in [
            r#"Bearer realm="x"#,
            r#"Bearer realm="x" service="y""#,
            r#"Bearer realm="x",realm="y""#,
            "=x",
            "\"Bearer\"",
            "Bearer@x",
            "Bearer realm=a b",
        ] {
            assert!(read(header).is_err(), "{header}: {:?}", read(header));
        }
        let many = |count: usize| (0..count).map(|n| format!("p{n}=x")).collect::<Vec<_>>().join(",");
        assert!(read(&format!("Bearer {}", many(MOST))).is_ok());
        assert_eq!(read(&format!("Bearer {}", many(MOST + 1))), Err("too many parameters"));
        assert_eq!(read(&"Basic,".repeat(MOST + 1)), Err("too many challenges"));
    }

    proptest! {
        #[test]
        fn no_header_panics(header in "\\PC{0,60}", near in r#"(Basic|Bearer|,|=|"|\\|realm|[ a-z])*"#) {
            let _ = parse(&header);
            let _ = parse(&near);
        }

        #[test]
        fn what_is_quoted_is_read_back(value in "\\PC{0,30}") {
            let quoted = value.replace('\\', r"\\").replace('"', "\\\"");
            let challenges = parse(&format!("Bearer service=s, realm=\"{quoted}\"")).unwrap();
            prop_assert_eq!(challenges[0].param("realm"), Some(value.as_str()));
        }
    }
}
