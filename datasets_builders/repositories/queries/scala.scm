(compilation_unit [
  (class_definition name: (identifier) @declared)
  (object_definition name: (identifier) @declared)
  (trait_definition name: (identifier) @declared)
  (enum_definition name: (identifier) @declared)
  (function_definition name: (identifier) @declared)
  (type_definition name: (type_identifier) @declared)])
; anywhere
(package_clause name: (package_identifier) @package)
(import_declaration) @statement
(package_clause body: (template_body [
  (class_definition name: (identifier) @declared)
  (object_definition name: (identifier) @declared)
  (trait_definition name: (identifier) @declared)
  (enum_definition name: (identifier) @declared)]))
(type_identifier) @used
(field_expression value: (identifier) @used)
(call_expression function: (identifier) @used)
