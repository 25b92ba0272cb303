(import_or_export (_ (_ (uri) @target)))
(import_specification (configurable_uri (uri) @target))
(configuration_uri (uri) @target)
(part_directive (uri) @target)
