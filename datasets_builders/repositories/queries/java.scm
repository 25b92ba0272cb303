(program [
  (class_declaration name: (identifier) @declared)
  (interface_declaration name: (identifier) @declared)
  (enum_declaration name: (identifier) @declared)
  (record_declaration name: (identifier) @declared)
  (annotation_type_declaration name: (identifier) @declared)])
; anywhere
(package_declaration (_) @package)
(import_declaration) @statement
(type_identifier) @used
(scoped_type_identifier) @used
(method_invocation object: (field_access) @used)
(field_access object: (field_access) @used)
(method_invocation object: (identifier) @used)
(field_access object: (identifier) @used)
(method_reference . (identifier) @used)
(annotation name: (identifier) @used)
(marker_annotation name: (identifier) @used)
