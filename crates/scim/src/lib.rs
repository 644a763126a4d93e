//! SCIM 2.0: schemas, resources, filter, path, PATCH, list, errors. Pure.
