(namespace_definition name: (namespace_name) @package)
(namespace_use_declaration) @statement
(require_expression) @statement
(require_once_expression) @statement
(include_expression) @statement
(include_once_expression) @statement
[(class_declaration name: (name) @declared)
 (interface_declaration name: (name) @declared)
 (trait_declaration name: (name) @declared)
 (enum_declaration name: (name) @declared)
 (function_definition name: (name) @declared)]
(program (const_declaration (const_element . (name) @declared)))
(namespace_definition (compound_statement (const_declaration (const_element . (name) @declared))))
(named_type [(name) (qualified_name)] @used)
(base_clause [(name) (qualified_name)] @used)
(class_interface_clause [(name) (qualified_name)] @used)
(use_declaration [(name) (qualified_name)] @used)
(object_creation_expression [(name) (qualified_name)] @used)
(scoped_call_expression scope: [(name) (qualified_name)] @used)
(class_constant_access_expression . [(name) (qualified_name)] @used)
(scoped_property_access_expression scope: [(name) (qualified_name)] @used)
(attribute [(name) (qualified_name)] @used)
