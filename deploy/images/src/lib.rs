//! The container images, made from files that are built already. No container engine and no network is involved.
//!
//! | module | what it is |
//! |---|---|
//! | [`sidecar`] | the image of the sidecar, for one or more platforms |
//! | [`filter`] | the image of the filter's module, as Envoy Gateway and Istio fetch it |
//! | [`sbom`] | the lists of what an image is made of, attached to it |
//! | [`layout`] | OCI image layouts: directories that crane, skopeo and oras push |
//! | [`layer`] | a layer with one file |
//! | [`labels`] | what an image says of itself |
//! | [`root`] | the root of a container that is made from an image, for tests |
//! | [`executable`], [`limits`] | what is checked of the files |
//! | [`values`] | the values file for the Helm chart |
//!
//! The same files, version and commit give the same digests: times are zero or the commit's, keys are sorted, and the
//! compressor is pinned by Cargo.lock.

pub mod executable;
pub mod filter;
pub mod labels;
pub mod layer;
pub mod layout;
pub mod limits;
pub mod root;
pub mod sbom;
pub mod sidecar;
pub mod values;
