(source_file [
  (class_declaration name: (identifier) @declared)
  (object_declaration name: (identifier) @declared)
  (function_declaration name: (identifier) @declared)
  (property_declaration (variable_declaration (identifier) @declared))
  (type_alias type: (identifier) @declared)])
; anywhere
(package_header (qualified_identifier) @package)
(import) @statement
(user_type . (identifier) @used)
(call_expression . (identifier) @used)
(navigation_expression . (identifier) @used)
