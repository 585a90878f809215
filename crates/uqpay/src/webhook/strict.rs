//! The shape a signed body must have: one JSON object, nothing after it, no key twice, nested at most 32 deep.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Unreadable;
use crate::read;

/// Deepest nesting, the body itself counted.
const MAX_DEPTH: usize = 32;

pub(super) fn check(body: &[u8]) -> Result<(), Unreadable> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Unreadable::NotAnObject);
    }
    let problem = Cell::new(Unreadable::NotJson);
    let mut json = serde_json::Deserializer::from_slice(body);
    Level {
        depth: 1,
        problem: &problem,
    }
    .deserialize(&mut json)
    .and_then(|()| json.end())
    .map_err(|_| problem.get())
}

/// One value at some depth; `problem` takes the reason out past the parser's own error type.
#[derive(Clone, Copy)]
struct Level<'a> {
    depth: usize,
    problem: &'a Cell<Unreadable>,
}

impl Level<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.depth > MAX_DEPTH {
            Err(self.fail(Unreadable::TooDeep))
        } else {
            Ok(Self {
                depth: self.depth + 1,
                ..self
            })
        }
    }

    fn fail<E: Error>(self, problem: Unreadable) -> E {
        self.problem.set(problem);
        E::custom(problem)
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while entries.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let mut names = BTreeSet::new();
        while let Some(read::Borrowed(name)) = members.next_key()? {
            if !names.insert(name) {
                return Err(self.fail(Unreadable::DuplicateKey));
            }
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        format!(
            "{{\"a\":{}1{}}}",
            "[".repeat(levels - 1),
            "]".repeat(levels - 1)
        )
    }

    #[test]
    fn takes_one_object_and_nothing_else() {
        for body in [
            "{}",
            " {\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]} \n",
            "{\"a\":\"\\u0000\"}",
        ] {
            assert_eq!(check(body.as_bytes()), Ok(()), "{body}");
        }
        assert_eq!(check(nested(32).as_bytes()), Ok(()));
        let refused: [(&[u8], Unreadable); 15] = [
            (b"", Unreadable::NotAnObject),
            (b"[]", Unreadable::NotAnObject),
            (b"null", Unreadable::NotAnObject),
            (b"\xef\xbb\xbf{}", Unreadable::NotAnObject),
            (b"{}1790000000", Unreadable::NotJson),
            (b"{}{}", Unreadable::NotJson),
            (b"{} //", Unreadable::NotJson),
            (b"{\"a\":1,}", Unreadable::NotJson),
            (b"{\"a\":\"\xff\"}", Unreadable::NotJson),
            (b"{\"a\":\"\\ud800\"}", Unreadable::NotJson),
            (b"{\"a\":NaN}", Unreadable::NotJson),
            (b"{\"a\"", Unreadable::NotJson),
            (b"{\"a\":1,\"a\":1}", Unreadable::DuplicateKey),
            (b"{\"a\":1,\"\\u0061\":2}", Unreadable::DuplicateKey),
            (b"{\"d\":[{\"x\":{},\"x\":{}}]}", Unreadable::DuplicateKey),
        ];
        for (body, problem) in refused {
            assert_eq!(
                check(body),
                Err(problem),
                "{}",
                String::from_utf8_lossy(body)
            );
        }
        assert_eq!(check(nested(33).as_bytes()), Err(Unreadable::TooDeep));
        assert_eq!(check(nested(100_000).as_bytes()), Err(Unreadable::TooDeep));
    }
}
