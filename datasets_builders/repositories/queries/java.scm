(import_declaration) @statement
(package_declaration (_) @package)
