//! The keyservers of an endpoint and their order. The endpoint's own keyserver can be disabled but not removed.

use super::{Endpoint, Keyserver};
use crate::error::{Failure, Result};
use crate::uri::ServiceUri;

impl Endpoint {
    /// The keyservers that are not disabled, in lookup order.
    pub fn visible_keyservers(&self) -> impl Iterator<Item = &Keyserver> {
        self.keyservers.iter().filter(|keyserver| !keyserver.skip)
    }

    /// Adds the endpoint's own keyserver if no keyserver is configured. Until then it is used implicitly.
    pub fn list_own_keyserver(&mut self, own: Option<&str>) {
        if let (true, Some(uri)) = (self.keyservers.is_empty(), own) {
            self.keyservers.push(Keyserver { uri: uri.to_string(), ..Keyserver::default() });
        }
    }

    /// Adds a keyserver at position `order` of the enabled ones, counting from 1, or at the end. If the keyserver is
    /// disabled, it is enabled again.
    ///
    /// # Errors
    /// The keyserver is already configured, or the order is out of range.
    pub fn add_keyserver(&mut self, uri: &ServiceUri, order: Option<u32>, insecure: bool) -> Result<()> {
        let places = self.visible_keyservers().count() + 1;
        let place = order.map_or(places, |order| usize::try_from(order).unwrap_or(usize::MAX));
        if place == 0 {
            return Err(Failure::new("order must be > 0"));
        }
        if place > places {
            return Err(Failure::new(format!("order is out of range: maximum is {places}")));
        }
        let keyserver = match self.keyservers.iter().position(|there| there.is_server(uri)) {
            Some(at) if self.keyservers[at].skip => Keyserver { skip: false, ..self.keyservers.remove(at) },
            Some(_) => return Err(Failure::new(format!("{uri} is already configured"))),
            None => Keyserver { uri: uri.to_string(), external: true, insecure, skip: false },
        };
        let index = self.index_of(place);
        self.keyservers.insert(index, keyserver);
        Ok(())
    }

    /// The index at which to insert a keyserver so that it becomes the `place`-th enabled one. Disabled keyservers are
    /// not counted. Of the possible indices, the one closest to Apptainer's (`place - 1`) is used.
    fn index_of(&self, place: usize) -> usize {
        let visible: Vec<usize> =
            (0..self.keyservers.len()).filter(|at| !self.keyservers[*at].skip).collect();
        let earliest = if place == 1 { 0 } else { visible[place - 2] + 1 };
        let latest = visible.get(place - 1).copied().unwrap_or(self.keyservers.len());
        (place - 1).clamp(earliest, latest)
    }

    /// Removes a keyserver that an administrator added. Disables the endpoint's own keyserver.
    ///
    /// # Errors
    /// The keyserver is not configured, or it is the last enabled one.
    pub fn remove_keyserver(&mut self, uri: &ServiceUri) -> Result<()> {
        let visible = self.visible_keyservers().count();
        let found = self.keyservers.iter().position(|there| !there.skip && there.is_server(uri));
        let Some(at) = found else {
            return Err(Failure::new(format!("keyserver {uri} is not configured")));
        };
        if visible == 1 {
            return Err(Failure::new(format!("the primary keyserver {uri} can't be removed")));
        }
        if self.keyservers[at].external {
            self.keyservers.remove(at);
        } else {
            self.keyservers[at].skip = true;
        }
        Ok(())
    }
}

impl Keyserver {
    /// Whether this is the server at `uri`. Different spellings of the same server are equal.
    pub fn is_server(&self, uri: &ServiceUri) -> bool {
        ServiceUri::from_stored(&self.uri).is_some_and(|own| own.same_server(uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> ServiceUri {
        ServiceUri::parse(text).unwrap().uri
    }

    /// An endpoint with these keyservers. A `-` before a name means disabled. `own` is the endpoint's own keyserver.
    fn endpoint(names: &[&str]) -> Endpoint {
        let keyservers = names.iter().map(|name| Keyserver {
            uri: format!("https://{}", name.trim_start_matches('-')),
            skip: name.starts_with('-'),
            external: name.trim_start_matches('-') != "own",
            insecure: false,
        });
        Endpoint { keyservers: keyservers.collect(), ..Endpoint::default() }
    }

    fn names(endpoint: &Endpoint) -> Vec<String> {
        let name =
            |k: &Keyserver| format!("{}{}", if k.skip { "-" } else { "" }, k.uri.replace("https://", ""));
        endpoint.keyservers.iter().map(name).collect()
    }

    #[test]
    fn the_order_counts_only_enabled_keyservers() {
        for (before, order, after) in [
            (vec!["own"], None, vec!["own", "new"]),
            (vec!["own"], Some(1), vec!["new", "own"]),
            (vec!["own", "b"], Some(2), vec!["own", "new", "b"]),
            (vec!["own", "b"], Some(3), vec!["own", "b", "new"]),
            (vec!["-own", "b"], None, vec!["-own", "b", "new"]),
            (vec!["-own", "b"], Some(1), vec!["new", "-own", "b"]),
            (vec!["-own", "b", "c"], Some(2), vec!["-own", "b", "new", "c"]),
            (vec![], None, vec!["new"]),
        ] {
            let mut endpoint = endpoint(&before);
            endpoint.add_keyserver(&uri("https://new"), order, false).unwrap();
            assert_eq!(names(&endpoint), after, "{before:?} {order:?}");
        }
    }

    #[test]
    fn orders_out_of_range_are_refused() {
        for (order, words) in [
            (0, "order must be > 0"),
            (3, "order is out of range: maximum is 2"),
            (u32::MAX, "order is out of range: maximum is 2"),
        ] {
            let mut endpoint = endpoint(&["own", "-b"]);
            let error = endpoint.add_keyserver(&uri("https://new"), Some(order), false).unwrap_err();
            assert_eq!(error.message(), words);
            assert_eq!(names(&endpoint), ["own", "-b"]);
        }
    }

    #[test]
    fn the_same_server_cannot_be_added_twice() {
        let mut endpoint = endpoint(&["own", "b"]);
        let error = endpoint.add_keyserver(&uri("hkps://B:443/x"), None, false).unwrap_err();
        assert_eq!(error.message(), "hkps://B:443/x is already configured");
    }

    #[test]
    fn the_own_keyserver_is_disabled_and_enabled_again() {
        let mut endpoint = endpoint(&["own", "b"]);
        endpoint.remove_keyserver(&uri("https://own")).unwrap();
        assert_eq!(names(&endpoint), ["-own", "b"]);
        let last = endpoint.remove_keyserver(&uri("https://b")).unwrap_err().message();
        assert_eq!(last, "the primary keyserver https://b can't be removed");
        let again = endpoint.remove_keyserver(&uri("https://own")).unwrap_err().message();
        assert_eq!(again, "keyserver https://own is not configured");
        endpoint.add_keyserver(&uri("hkps://own"), Some(2), true).unwrap();
        assert_eq!(names(&endpoint), ["b", "own"]);
        assert!(!endpoint.keyservers[1].external && !endpoint.keyservers[1].insecure);
        endpoint.remove_keyserver(&uri("https://b")).unwrap();
        assert_eq!(names(&endpoint), ["own"]);
    }

    #[test]
    fn the_own_keyserver_is_added_once() {
        let mut fresh = Endpoint::default();
        fresh.list_own_keyserver(Some("https://own"));
        fresh.list_own_keyserver(Some("https://other"));
        assert_eq!(names(&fresh), ["own"]);
    }
}
