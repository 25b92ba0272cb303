(compilation_unit [
  (class_definition name: (identifier) @declared)
  (object_definition name: (identifier) @declared)
  (trait_definition name: (identifier) @declared)
  (enum_definition name: (identifier) @declared)
  (function_definition name: (identifier) @declared)
  (val_definition pattern: (identifier) @declared)
  (given_definition name: (identifier) @declared)
  (extension_definition body: (function_definition name: (identifier) @declared))
  (extension_definition body: (template_body (function_definition name: (identifier) @declared)))
  (type_definition name: (type_identifier) @declared)])
; anywhere
(package_clause name: (package_identifier) @package)
(import_declaration) @statement
(package_object name: (identifier) @declared)
(package_object body: (template_body [
  (class_definition name: (identifier) @declared)
  (object_definition name: (identifier) @declared)
  (trait_definition name: (identifier) @declared)
  (enum_definition name: (identifier) @declared)
  (function_definition name: (identifier) @declared)
  (val_definition pattern: (identifier) @declared)
  (type_definition name: (type_identifier) @declared)]))
(package_clause body: (template_body [
  (class_definition name: (identifier) @declared)
  (object_definition name: (identifier) @declared)
  (trait_definition name: (identifier) @declared)
  (enum_definition name: (identifier) @declared)]))
(type_identifier) @used
(field_expression value: (identifier) @used)
(call_expression function: (identifier) @used)
((arguments (identifier) @used) (#match? @used "^[A-Z]"))
(case_class_pattern type: (stable_type_identifier (identifier) @used))
