//! What comes from the environment: who this replica is, and nothing else.

/// The identity that the downward API gives a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Env {
    /// The pod's name; part of the identity that holds leases.
    pub pod_name: String,
    /// The pod's namespace; RRs are kept there unless configured otherwise.
    pub pod_namespace: String,
}

/// A variable that is not set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the environment variable {name} is not set; in a pod, set it by the downward API \
     (env: valueFrom.fieldRef.fieldPath: {field}), elsewhere by hand"
)]
pub struct EnvError {
    name: &'static str,
    field: &'static str,
}

impl Env {
    /// Reads `POD_NAME` and `POD_NAMESPACE`.
    ///
    /// # Errors
    /// [`EnvError`] if one is not set, is empty or is not UTF-8.
    pub fn read() -> Result<Self, EnvError> {
        Self::from(|name| std::env::var(name).ok())
    }

    fn from(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, EnvError> {
        let required = |name, field| get(name).filter(|value| !value.is_empty()).ok_or(EnvError { name, field });
        Ok(Self {
            pod_name: required("POD_NAME", "metadata.name")?,
            pod_namespace: required("POD_NAMESPACE", "metadata.namespace")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Env;

    #[test]
    fn both_variables_make_the_identity() {
        let env = Env::from(|name| Some(format!("value-of-{name}"))).unwrap();
        assert_eq!(env.pod_name, "value-of-POD_NAME");
        assert_eq!(env.pod_namespace, "value-of-POD_NAMESPACE");
    }

    #[test]
    fn a_missing_or_empty_variable_is_refused_with_the_way_to_set_it() {
        for value in [None, Some(String::new())] {
            let error = Env::from(|name| if name == "POD_NAME" { Some("p".into()) } else { value.clone() });
            let text = error.unwrap_err().to_string();
            assert!(text.contains("POD_NAMESPACE") && text.contains("metadata.namespace"), "{text}");
        }
    }
}
