//! `missing_fields`: strings, objects, mixed, dotted, perhaps nested (contract §3, §6.3).

use serde_json::Value;

/// Deepest nesting followed.
const MAX_DEPTH: usize = 8;
/// Most paths kept.
const MAX_PATHS: usize = 200;

/// What the provider says is missing: as received, and as dotted paths.
#[derive(Debug, Clone, PartialEq)]
pub struct MissingFields {
    /// The member as received: its form is not settled, so people must be able to see it.
    pub raw: Value,
    /// Dotted paths, in the order received, without repeats; at most 200, nesting followed to 8.
    pub paths: Vec<String>,
}

impl MissingFields {
    pub(crate) fn read(raw: Value) -> Option<Self> {
        let mut paths = Vec::new();
        match &raw {
            Value::Null => return None,
            Value::Array(entries) if entries.is_empty() => return None,
            Value::Array(entries) => collect(entries, "", 1, &mut paths),
            other => collect(std::slice::from_ref(other), "", 1, &mut paths),
        }
        Some(Self { raw, paths })
    }
}

fn collect(entries: &[Value], prefix: &str, depth: usize, paths: &mut Vec<String>) {
    for entry in entries {
        if paths.len() >= MAX_PATHS {
            return;
        }
        match entry {
            Value::String(name) => push(prefix, name, paths),
            Value::Object(field) => {
                let Some(name) = field.get("name").and_then(Value::as_str) else {
                    continue;
                };
                let children: Vec<Value> = match field.get("fields") {
                    Some(Value::Array(children)) if depth < MAX_DEPTH => children
                        .iter()
                        .filter(|child| needed(child))
                        .cloned()
                        .collect(),
                    _ => Vec::new(),
                };
                if children.is_empty() {
                    push(prefix, name, paths);
                } else {
                    collect(
                        &children,
                        &format!("{prefix}{}.", name.trim()),
                        depth + 1,
                        paths,
                    );
                }
            }
            _ => {}
        }
    }
}

/// A listed object carries its whole schema; only what it requires is missing.
fn needed(child: &Value) -> bool {
    child
        .get("required")
        .and_then(Value::as_bool)
        .unwrap_or(true)
}

fn push(prefix: &str, name: &str, paths: &mut Vec<String>) {
    let name = name.trim();
    if name.is_empty() || paths.len() >= MAX_PATHS {
        return;
    }
    let path = format!("{prefix}{name}");
    if !paths.contains(&path) {
        paths.push(path);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(raw: Value) -> Vec<String> {
        MissingFields::read(raw)
            .map(|missing| missing.paths)
            .unwrap_or_default()
    }

    #[test]
    fn reads_every_form() {
        assert_eq!(
            paths(json!(["email", "identity.number", "email"])),
            ["email", "identity.number"]
        );
        assert_eq!(
            paths(json!([
                "nationality",
                {"name": "gender", "type": "string", "required": true},
                {"name": "residential_address", "type": "object", "required": true, "fields": [
                    {"name": "city", "type": "string", "required": true},
                    {"name": "postal_code", "type": "string", "required": false},
                    {"name": "line1", "type": "string"}]},
                {"name": "identity", "type": "object", "fields": []},
                17, null, {"type": "string"}
            ])),
            [
                "nationality",
                "gender",
                "residential_address.city",
                "residential_address.line1",
                "identity"
            ]
        );
        assert_eq!(paths(json!("email")), ["email"]);
        assert!(MissingFields::read(json!([])).is_none());
        assert!(MissingFields::read(Value::Null).is_none());
    }

    #[test]
    fn is_bounded() {
        let many: Vec<String> = (0..5_000).map(|n| format!("f{n}")).collect();
        assert_eq!(paths(json!(many)).len(), MAX_PATHS);
        let mut deep = json!({"name": "leaf"});
        for _ in 0..40 {
            deep = json!({"name": "n", "fields": [deep]});
        }
        assert_eq!(paths(json!([deep])), ["n.n.n.n.n.n.n.n"]);
    }
}
