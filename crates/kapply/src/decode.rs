//! Stage 2: texts become objects. YAML and JSON documents are parsed, lists
//! are taken apart, and whatever is no Kubernetes object is refused by place.

mod json;
mod locate;
mod scalar;
mod shape;
mod yaml;

use serde_json::Value;

use self::yaml::{Document, Malformed};
use crate::{
    object::Object,
    problem::{File, Place, Problem, Problems},
};

pub(crate) use self::{locate::field as locate_field, scalar::resolve as resolve_scalar};

/// The values of a YAML text, for checking what was written.
#[cfg(test)]
pub(crate) fn parse_yaml(text: &str) -> Result<Vec<Value>, String> {
    let documents = yaml::documents(text).map_err(|error| error.message)?;
    Ok(documents
        .into_iter()
        .map(|document| document.value)
        .collect())
}

/// A list in a list in a list is more than anything writes.
const MAX_LIST_DEPTH: usize = 4;

/// The objects of all sources, in input order.
///
/// # Errors
/// Every place that does not parse or holds no Kubernetes object, and an input
/// without any object.
pub fn decode(files: &[File]) -> Result<Vec<Object>, Problems> {
    let objects = decode_any(files)?;
    if objects.is_empty() {
        let names: Vec<_> = files.iter().map(|file| &**file).collect();
        return Err(Problems::from(Problem::general(format!(
            "there is no object in {}; give -f a file, a directory or - with manifests",
            names.join(", ")
        ))));
    }
    Ok(objects)
}

/// The objects of all sources, which may be none.
///
/// # Errors
/// Every place that does not parse or holds no Kubernetes object.
pub fn decode_any(files: &[File]) -> Result<Vec<Object>, Problems> {
    let mut problems = Problems::default();
    let mut objects = Vec::new();
    for file in files {
        match documents(file) {
            Ok(documents) => {
                for (index, document) in documents.into_iter().enumerate() {
                    collect(document, index, file, &mut objects, &mut problems);
                }
            }
            Err(problem) => problems.0.push(problem),
        }
    }
    problems.or(objects)
}

/// A text that starts with `{` is JSON, and everything else (also `{` that is
/// no JSON) is YAML, as for kubectl.
fn documents(file: &File) -> Result<Vec<Document>, Problem> {
    let text = text(file)?;
    let parsed = if text.trim_start().starts_with('{') {
        json::documents(text)
    } else {
        yaml::documents(text)
    };
    parsed.map_err(|Malformed { line, message }| {
        let place = Place {
            file: file.clone(),
            line,
        };
        Problem::at(&place, format!("syntax error: {message}"))
    })
}

fn text(file: &File) -> Result<&str, Problem> {
    let bytes = file.bytes();
    // A byte order mark, or a NUL in the first character, which is ASCII in every manifest.
    if bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        || matches!(bytes, [0, _, ..] | [_, 0, ..])
    {
        return Err(Problem::at(
            &Place::file(file),
            "this is no UTF-8 text, but UTF-16 or binary data; save it as UTF-8",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = &bytes[..error.valid_up_to()];
        let place = Place {
            file: file.clone(),
            line: good.split(|byte| *byte == b'\n').count(),
        };
        Problem::at(
            &place,
            "this is no UTF-8 text from here on; save the file as UTF-8",
        )
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn collect(
    document: Document,
    index: usize,
    file: &File,
    objects: &mut Vec<Object>,
    problems: &mut Problems,
) {
    let place = Place {
        file: file.clone(),
        line: document.line,
    };
    if document.value.is_null() {
        return;
    }
    let found = objects.len();
    expand(document.value, &place, index, 0, objects, problems);
    // Only the items of a list that was not nested map one to one to the known lines.
    if document.item_lines.len() == objects.len() - found {
        for (object, line) in objects[found..].iter_mut().zip(document.item_lines) {
            object.place.line = line;
        }
    }
}

/// Adds an object, or the objects of `kind: List` and typed lists such as `ConfigMapList`.
fn expand(
    value: Value,
    place: &Place,
    index: usize,
    depth: usize,
    objects: &mut Vec<Object>,
    problems: &mut Problems,
) {
    let kind = value["kind"].as_str().unwrap_or_default();
    let is_list = match &value["items"] {
        Value::Array(_) => kind.ends_with("List"),
        Value::Null => kind == "List" && value.get("items").is_some(),
        _ => false,
    };
    if !is_list {
        let object = Object {
            value: shape::without_bookkeeping(value),
            place: place.clone(),
            document: index,
        };
        match shape::check(&object) {
            Ok(()) => objects.push(object),
            Err(message) => problems.0.push(Problem::at(place, message)),
        }
        return;
    }
    if depth >= MAX_LIST_DEPTH {
        problems.0.push(Problem::at(
            place,
            format!("lists are nested deeper than {MAX_LIST_DEPTH} levels"),
        ));
        return;
    }
    let list_kind = value["kind"].as_str().unwrap_or_default().to_owned();
    let list_version = value["apiVersion"].clone();
    let Value::Object(mut list) = value else {
        return;
    };
    let Some(Value::Array(items)) = list.remove("items") else {
        return; // `items:` with nothing behind it.
    };
    for mut item in items {
        // Items of a typed list may leave out what the list's own kind says.
        if let (Value::Object(item), Some(kind)) = (
            &mut item,
            list_kind
                .strip_suffix("List")
                .filter(|kind| !kind.is_empty()),
        ) {
            item.entry("apiVersion")
                .or_insert_with(|| list_version.clone());
            item.entry("kind").or_insert_with(|| kind.into());
        }
        expand(item, place, index, depth + 1, objects, problems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> File {
        File::read(name, text.into())
    }

    fn map(name: &str) -> String {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
    }

    #[test]
    fn documents_and_lists_become_objects_with_places() {
        let text = format!(
            "---\n# nothing\n---\n{}---\napiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {{name: b}}\n- metadata: {{name: c}}\n",
            map("a")
        );
        let objects = decode(&[source("m.yaml", &text)]).unwrap();
        let found: Vec<_> = objects
            .iter()
            .map(|o| format!("{} {} {}", o.place, o.label(), o.api_version()))
            .collect();
        assert_eq!(
            found,
            [
                "m.yaml:4 configmap/a v1",
                "m.yaml:11 configmap/b v1",
                "m.yaml:12 configmap/c v1"
            ]
        );
    }

    #[test]
    fn every_problem_of_every_file_is_reported() {
        let error = decode(&[
            source("a.yaml", "a: [\n"),
            source("b.yaml", "kind: Pod\n---\n- 1\n---\napiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}\n"),
            source("c.yaml", &map("ok")),
        ])
        .unwrap_err();
        let text = error.to_string();
        assert_eq!(error.0.len(), 4, "{text}");
        assert!(
            text.contains("a.yaml:") && text.contains("b.yaml:1: ") && text.contains("b.yaml:3: "),
            "{text}"
        );
        assert!(text.contains("generateName"), "{text}");
    }

    #[test]
    fn no_object_at_all_is_an_error() {
        let error = decode(&[source("empty.yaml", "# nothing\n---\n")]).unwrap_err();
        assert!(
            error.to_string().contains("no object in empty.yaml"),
            "{error}"
        );
    }

    #[test]
    fn flow_yaml_that_looks_like_json_is_yaml() {
        assert_eq!(
            decode(&[source(
                "f",
                "{apiVersion: v1, kind: Pod, metadata: {name: p}}"
            )])
            .unwrap()[0]
                .name(),
            "p"
        );
    }

    #[test]
    fn other_encodings_are_named() {
        let utf16: Vec<u8> = map("a").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let error = decode(&[File::read("f", utf16)]).unwrap_err().to_string();
        assert!(error.contains("UTF-16"), "{error}");
        let error = decode(&[File::read("f", b"a: 1\nb: \xe9\n".to_vec())]).unwrap_err();
        assert!(
            error.to_string().starts_with("f:2: this is no UTF-8"),
            "{error}"
        );
        assert!(decode(&[source("f", &format!("\u{feff}{}", map("a")))]).is_ok());
    }

    #[test]
    fn an_empty_list_is_no_object() {
        let text = format!("{}---\nkind: List\napiVersion: v1\nitems:\n", map("a"));
        assert_eq!(decode(&[source("f", &text)]).unwrap().len(), 1);
        let error = decode(&[source("f", "kind: List\napiVersion: v1\n")]).unwrap_err();
        assert!(
            error.to_string().contains("f:1: List: items is missing"),
            "{error}"
        );
    }

    #[test]
    fn names_cannot_leave_their_path() {
        for name in ["../x", "'x?force=true'", "..", "'a b'"] {
            assert!(decode(&[source("f", &map(name))]).is_err(), "{name}");
        }
    }
}
