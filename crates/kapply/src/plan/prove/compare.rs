//! Whether the values that an object wishes for are already there, by the
//! schema's idea of what is one value: an atomic whole, a field or a list item.

use serde_json::{Map, Value};

use crate::{
    fields::{
        Doubt, PathElement,
        claim::{declared, is_atomic, is_stripped, item_element},
    },
    schema::{Edge, List, Schema, Type},
};

/// The values of what is desired against those of what is live.
pub(super) struct Comparison<'schema> {
    pub(super) schema: &'schema Schema,
}

impl Comparison<'_> {
    /// Whether everything desired is already there.
    pub(super) fn root(&self, desired: &Value, live: &Value) -> Result<(), Doubt> {
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
