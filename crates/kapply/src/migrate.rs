//! Taking over what kubectl applied client-side.

use serde_json::Value;

pub(crate) fn migration(_live: &Value, _manager: &str) -> Option<Value> {
    None
}
