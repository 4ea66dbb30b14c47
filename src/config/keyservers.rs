//! The keyservers of an endpoint: their order, and the endpoint's own one, which can be taken out of use
//! but not forgotten.

use super::{Endpoint, Keyserver};
use crate::error::{Failure, Result};
use crate::uri::ServiceUri;

impl Endpoint {
    /// The keyservers that are asked, in that order.
    pub fn visible_keyservers(&self) -> impl Iterator<Item = &Keyserver> {
        self.keyservers.iter().filter(|keyserver| !keyserver.skip)
    }

    /// Puts the endpoint's own keyserver first where none is configured, which until then is the only one.
    pub fn list_own_keyserver(&mut self, own: Option<&str>) {
        if let (true, Some(uri)) = (self.keyservers.is_empty(), own) {
            self.keyservers.push(Keyserver { uri: uri.to_string(), ..Keyserver::default() });
        }
    }

    /// Adds a keyserver as the `order`-th of those that are asked, from 1; without an order as the last.
    /// One that was taken out of use comes back.
    ///
    /// # Errors
    /// The server is there already, or the order is beyond the last place.
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

    /// Where the `place`-th visible keyserver goes. Those out of use have no place: beside them Apptainer's
    /// index is taken as long as it means the same.
    fn index_of(&self, place: usize) -> usize {
        let visible: Vec<usize> =
            (0..self.keyservers.len()).filter(|at| !self.keyservers[*at].skip).collect();
        let earliest = if place == 1 { 0 } else { visible[place - 2] + 1 };
        let latest = visible.get(place - 1).copied().unwrap_or(self.keyservers.len());
        (place - 1).clamp(earliest, latest)
    }

    /// Takes a keyserver out: for good if an administrator added it, else out of use.
    ///
    /// # Errors
    /// It is not there, or it is the last one.
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
    /// Whether it is the server at `uri`, in whatever words.
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

    /// `own https://a` and two more; a `-` before a name means out of use.
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
    fn the_order_counts_those_that_are_asked() {
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
    fn orders_beyond_the_last_place_are_refused() {
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
    fn the_same_server_stands_there_once() {
        let mut endpoint = endpoint(&["own", "b"]);
        let error = endpoint.add_keyserver(&uri("hkps://B:443/x"), None, false).unwrap_err();
        assert_eq!(error.message(), "hkps://B:443/x is already configured");
    }

    #[test]
    fn the_own_one_goes_out_of_use_and_comes_back() {
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
    fn the_own_one_is_listed_when_it_is_no_longer_alone() {
        let mut fresh = Endpoint::default();
        fresh.list_own_keyserver(Some("https://own"));
        fresh.list_own_keyserver(Some("https://other"));
        assert_eq!(names(&fresh), ["own"]);
    }
}
