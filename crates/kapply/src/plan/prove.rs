//! Proving without a request that applying an object would change nothing.
//!
//! Equal values prove nothing: an apply also changes who owns what, and the
//! order of a list. So three things are compared: the fields that the object
//! claims with those that the manager already owns, their values, and the
//! order of list items. Whatever is not certain is a doubt, for the server to settle.

use serde_json::{Map, Value};

use crate::{
    fields::{
        self, Doubt, FieldSet, PathElement,
        claim::{declared, is_atomic, is_stripped, item_element},
    },
    migrate,
    schema::{Edge, List, Schema, Type},
};

/// Whether applying `desired` as `manager` over `live` changes nothing, by the
/// kind's schema. What admission would newly do to the object is not foreseen.
///
/// # Errors
/// The first [`Doubt`].
pub fn unchanged(
    desired: &Value,
    live: &Value,
    schema: &Schema,
    manager: &str,
) -> Result<(), Doubt> {
    if !schema.served {
        return Err(Doubt::new("the cluster does not serve the kind yet"));
    }
    same_object(desired, live)?;
    let owned = owned(live, manager)?;
    if migrate::migration(live, manager).is_some() {
        return Err(Doubt::new(
            "fields of a client-side apply are to be taken over",
        ));
    }
    settled(desired, schema)?;
    Comparison { schema }.root(desired, live)?;
    let owned = FieldSet::parse(owned).map_err(|_| Doubt::new("its field set cannot be read"))?;
    if fields::claim(desired, schema)? != owned {
        return Err(Doubt::new("the manager owns other fields"));
    }
    Ok(())
}

fn same_object(desired: &Value, live: &Value) -> Result<(), Doubt> {
    for key in ["apiVersion", "kind"] {
        if !desired[key].is_string() || desired[key] != live[key] {
            return Err(Doubt::new("it was read as another kind or version").field(key));
        }
    }
    let (ours, theirs) = (&desired["metadata"], &live["metadata"]);
    if !ours["name"].is_string() || ours["name"] != theirs["name"] {
        return Err(Doubt::new("it was read under another name"));
    }
    if ours.get("namespace") != theirs.get("namespace") {
        return Err(Doubt::new("it was read from another namespace"));
    }
    if theirs.get("deletionTimestamp").is_some() {
        return Err(Doubt::new("it is being deleted"));
    }
    let known = ["name", "namespace"];
    let fields = ours.as_object().into_iter().flatten();
    for (key, value) in fields.filter(|(key, _)| is_stripped(key)) {
        // Generators write `creationTimestamp: null`, which means nothing.
        let harmless = key == "creationTimestamp" && value.is_null();
        if !harmless && !known.contains(&key.as_str()) {
            let doubt = Doubt::new("only the server writes this field");
            return Err(doubt.field(key).field("metadata"));
        }
    }
    // The server turns it into `data`, and it is never read back.
    if desired["kind"] == "Secret" && desired.get("stringData").is_some() {
        return Err(Doubt::new("it is only written, never read").field("stringData"));
    }
    Ok(())
}

/// `fieldsV1` of the manager's one entry.
fn owned<'live>(live: &'live Value, manager: &str) -> Result<&'live Value, Doubt> {
    if manager == "kubectl" {
        // The server rewrites the last-applied annotation for this one.
        return Err(Doubt::new("the manager is kubectl"));
    }
    let entries = live["metadata"]["managedFields"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut ours = None;
    for entry in entries {
        // An entry of a version that is not served any more goes away with the next apply.
        if entry["apiVersion"] != live["apiVersion"] {
            return Err(Doubt::new("a manager wrote it in another version"));
        }
        let whole = entry["subresource"].as_str().is_none_or(str::is_empty);
        if entry["manager"] == manager && entry["operation"] == "Apply" && whole {
            if ours.is_some() {
                return Err(Doubt::new("the manager has two entries"));
            }
            ours = entry.get("fieldsV1");
        }
    }
    ours.ok_or_else(|| Doubt::new("the manager has not applied it yet"))
}

/// Refuses to judge what the server may make something else of: nulls, empty
/// objects and empty lists that are merged leave other traces than they say.
fn settled(desired: &Value, schema: &Schema) -> Result<(), Doubt> {
    for (key, value) in desired.as_object().into_iter().flatten() {
        match (key.as_str(), value.as_object()) {
            ("status", _) if schema.status => {}
            ("metadata", Some(metadata)) => {
                let owned = metadata.iter().filter(|(name, _)| !is_stripped(name));
                for (name, value) in owned {
                    has_content(value).map_err(|doubt| doubt.field(name).field(key))?;
                }
            }
            _ => has_content(value).map_err(|doubt| doubt.field(key))?,
        }
    }
    Ok(())
}

fn has_content(value: &Value) -> Result<(), Doubt> {
    match value {
        Value::Null => Err(Doubt::new("it is null")),
        Value::Object(object) if object.is_empty() => Err(Doubt::new("it is an empty object")),
        Value::Object(object) => object
            .iter()
            .try_for_each(|(key, value)| has_content(value).map_err(|doubt| doubt.field(key))),
        Value::Array(items) => (0..).zip(items).try_for_each(|(index, item)| {
            has_content(item).map_err(|doubt| doubt.below(PathElement::Index(index)))
        }),
        _ => Ok(()),
    }
}

struct Comparison<'schema> {
    schema: &'schema Schema,
}

impl Comparison<'_> {
    fn root(&self, desired: &Value, live: &Value) -> Result<(), Doubt> {
        let root = self.schema.of(self.schema.root());
        for (key, value) in desired.as_object().into_iter().flatten() {
            match key.as_str() {
                "apiVersion" | "kind" => {}
                "status" if self.schema.status => {}
                "metadata" => self.metadata(root, value, &live["metadata"])?,
                _ => self.member(root, key, value, live.get(key))?,
            }
        }
        Ok(())
    }

    fn metadata(&self, root: &Type, desired: &Value, live: &Value) -> Result<(), Doubt> {
        let (edge, _) = declared(root, "metadata")?;
        let of = self.schema.of(edge);
        let fields = desired.as_object().into_iter().flatten();
        for (key, value) in fields.filter(|(key, _)| !is_stripped(key)) {
            self.member(of, key, value, live.get(key))
                .map_err(|doubt| doubt.field("metadata"))?;
        }
        Ok(())
    }

    fn member(
        &self,
        of: &Type,
        key: &str,
        desired: &Value,
        live: Option<&Value>,
    ) -> Result<(), Doubt> {
        let (edge, _) = declared(of, key)?;
        let live = live.ok_or_else(|| Doubt::new("it is not there").field(key))?;
        self.value(edge, desired, live)
            .map_err(|doubt| doubt.field(key))
    }

    fn value(&self, edge: Edge, desired: &Value, live: &Value) -> Result<(), Doubt> {
        let of = self.schema.of(edge);
        match (desired, live) {
            (Value::Object(desired), Value::Object(live)) if !is_atomic(of, edge) => {
                self.object(of, desired, live)
            }
            (Value::Array(desired), Value::Array(live)) if of.list != List::Atomic => {
                if desired.is_empty() {
                    return Err(Doubt::new("it is an empty list"));
                }
                self.list(of, desired, live)
            }
            _ if desired == live => Ok(()),
            _ => Err(Doubt::new("its value differs")),
        }
    }

    fn object(
        &self,
        of: &Type,
        desired: &Map<String, Value>,
        live: &Map<String, Value>,
    ) -> Result<(), Doubt> {
        desired
            .iter()
            .try_for_each(|(key, value)| self.member(of, key, value, live.get(key)))
    }

    /// The desired items must be among the live ones in the same order: a
    /// merge then keeps the live order, and otherwise it may not.
    fn list(&self, of: &Type, desired: &[Value], live: &[Value]) -> Result<(), Doubt> {
        let element = |item| item_element(item, of, self.schema).map_err(Doubt::new);
        let elements = live.iter().map(element).collect::<Result<Vec<_>, _>>()?;
        if has_twins(&elements) {
            return Err(Doubt::new("two of its live items have the same key"));
        }
        let mut rest = elements.iter().zip(live);
        for item in desired {
            let wanted = element(item)?;
            let Some((_, found)) = rest.find(|(element, _)| **element == wanted) else {
                return Err(
                    Doubt::new("it is not there, or in another place of the list").below(wanted),
                );
            };
            let Some(edge) = of.items else { continue };
            self.value(edge, item, found)
                .map_err(|doubt| doubt.below(wanted))?;
        }
        Ok(())
    }
}

fn has_twins(elements: &[PathElement]) -> bool {
    let mut sorted: Vec<_> = elements.iter().collect();
    sorted.sort();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}
