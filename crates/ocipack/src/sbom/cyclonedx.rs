//! The document, as <https://cyclonedx.org/docs/1.6/json/> has it: the image, its programs, and
//! their crates with who needs whom.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use auditable_serde::{DependencyKind, Package, Source, VersionInfo};
use oci_spec::image::Digest;
use serde_json::{Value, json};

use super::SbomError;
use super::cargo::Cargo;

/// The whole document. `programs` are by platform and path.
pub(super) fn document(
    name: Option<&str>,
    digest: &Digest,
    programs: &BTreeMap<String, VersionInfo>,
    cargo: &Cargo,
) -> Result<Value, SbomError> {
    let image = digest.to_string();
    let mut components = BTreeMap::new();
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (program, list) in programs {
        for package in &list.packages {
            let reference = reference(package);
            if package.root {
                needs
                    .entry(image.clone())
                    .or_default()
                    .insert(reference.clone());
            }
            let own = needs.entry(reference.clone()).or_default();
            for index in &package.dependencies {
                let needed = list
                    .packages
                    .get(*index)
                    .ok_or_else(|| SbomError::Program {
                        program: program.clone(),
                        problem: format!("names the crate number {index}, which there is not"),
                    })?;
                own.insert(self::reference(needed));
            }
            if let Entry::Vacant(place) = components.entry(reference) {
                place.insert(component(package, program, cargo)?);
            }
        }
    }
    let needs = needs.into_iter();
    let needs: Vec<Value> = needs
        .map(|(from, to)| json!({"ref": from, "dependsOn": to}))
        .collect();
    let components: Vec<Value> = components.into_values().collect();
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{
                "type": "application",
                "name": "ocipack",
                "version": env!("CARGO_PKG_VERSION"),
            }]},
            "component": {
                "type": "container",
                "bom-ref": image,
                "name": name.unwrap_or("image"),
                "version": image,
                "hashes": [{"alg": "SHA-256", "content": digest.digest()}],
            },
        },
        "components": components,
        "dependencies": needs,
    }))
}

fn component(package: &Package, program: &str, cargo: &Cargo) -> Result<Value, SbomError> {
    let version = package.version.to_string();
    let reference = reference(package);
    let mut component = json!({
        "type": if package.root { "application" } else { "library" },
        "bom-ref": reference,
        "name": package.name,
        "version": version,
        // What only helped to build it is not in the program.
        "scope": match package.kind {
            DependencyKind::Runtime => "required",
            DependencyKind::Build => "excluded",
        },
        "evidence": {"identity": [{
            "field": "name",
            "confidence": 1,
            "methods": [{
                "technique": "binary-analysis",
                "confidence": 1,
                "value": format!("cargo-auditable's list in {program}"),
            }],
        }]},
    });
    let mut properties = vec![json!({
        "name": "ocipack:identity:from", "value": "cargo-auditable",
    })];
    if matches!(package.source, Source::CratesIo) {
        component["purl"] = Value::String(purl(package));
    }
    let registry = !matches!(package.source, Source::Local);
    if let Some(checksum) = cargo
        .checksum(&package.name, &version)?
        .filter(|_| registry)
    {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        properties.push(json!({"name": "ocipack:hashes:from", "value": "Cargo.lock"}));
    }
    if let Some(licence) = cargo.licence(&package.name, &version) {
        component["licenses"] = json!([{"expression": licence, "acknowledgement": "declared"}]);
        properties.push(json!({"name": "ocipack:licenses:from", "value": "cargo metadata"}));
    }
    component["properties"] = Value::Array(properties);
    Ok(component)
}

/// What the document calls a crate: its package URL, if there is one.
fn reference(package: &Package) -> String {
    let source = match &package.source {
        Source::CratesIo => return purl(package),
        Source::Local => "local",
        Source::Git => "git",
        Source::Registry => "registry",
        _ => "other",
    };
    format!("{source}:{}@{}", package.name, package.version)
}

/// <https://github.com/package-url/purl-spec/blob/main/types-doc/cargo-definition.md>
fn purl(package: &Package) -> String {
    let version = package.version.to_string().replace('+', "%2B");
    format!("pkg:cargo/{}@{version}", package.name)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::SbomOptions;
    use super::*;

    const LIST: &str = r#"{"packages":[
        {"name":"a","version":"1.0.0","source":"crates.io"},
        {"name":"b","version":"2.0.0+x","source":"crates.io","kind":"build"},
        {"name":"web","version":"0.1.0","source":"local","dependencies":[0,1],"root":true}]}"#;

    fn build(lock: &str) -> Result<Value, SbomError> {
        let folder = tempfile::tempdir().unwrap();
        let (path, metadata) = (folder.path().join("lock"), folder.path().join("metadata"));
        fs::write(&path, lock).unwrap();
        let licences =
            r#"{"packages":[{"name":"a","version":"1.0.0","license":"MIT/Apache-2.0"}]}"#;
        fs::write(&metadata, licences).unwrap();
        let cargo = Cargo::read(&SbomOptions {
            platform: None,
            cargo_lock: Some(&path),
            cargo_metadata: Some(&metadata),
        })?;
        let list = serde_json::from_str(LIST).unwrap();
        let digest = crate::digest::Blob::new(Vec::new()).digest;
        let programs = [("linux/amd64 bin/web".to_owned(), list)].into();
        document(Some("web:1"), &digest, &programs, &cargo)
    }

    #[test]
    fn crates_have_their_graph_and_say_where_the_rest_is_from() {
        let lock = "[[package]]\nname = 'a'\nversion = '1.0.0'\nchecksum = 'cafe'\n\
            [[package]]\nname = 'b'\nversion = '2.0.0+x'\n[[package]]\nname = 'web'\nversion = '0.1.0'\n";
        let document = build(lock).unwrap();
        let components = document["components"].as_array().unwrap();
        assert_eq!(components.len(), 3);
        assert!(components[0].get("purl").is_none(), "{}", components[0]);
        let a = &components[1];
        assert_eq!(a["purl"], "pkg:cargo/a@1.0.0");
        assert_eq!(a["hashes"][0]["content"], "cafe");
        assert_eq!(a["licenses"][0]["expression"], "MIT OR Apache-2.0");
        let from: Vec<&Value> = a["properties"].as_array().unwrap().iter().collect();
        assert_eq!(from.len(), 3, "{a}");
        assert_eq!(components[2]["purl"], "pkg:cargo/b@2.0.0%2Bx");
        assert_eq!(components[2]["scope"], "excluded");
        assert!(components[2].get("hashes").is_none());
        let web = document["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["ref"] == "local:web@0.1.0");
        assert_eq!(
            web.unwrap()["dependsOn"],
            json!(["pkg:cargo/a@1.0.0", "pkg:cargo/b@2.0.0%2Bx"])
        );
    }

    #[test]
    fn another_programs_lock_file_is_refused() {
        let error = build("[[package]]\nname = 'a'\nversion = '1.0.1'\n").unwrap_err();
        assert!(error.to_string().contains("no a 1.0.0"), "{error}");
    }
}
