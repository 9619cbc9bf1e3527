//! Proof that an object is unchanged.

use serde_json::Value;

use crate::schema::Schema;

pub(crate) fn unchanged(
    _desired: &Value,
    _live: &Value,
    _schema: &Schema,
    _manager: &str,
) -> Result<(), &'static str> {
    Err("nothing is proved yet")
}
