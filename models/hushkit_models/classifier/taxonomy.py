"""The 57 noise categories of the platform and the 22 superclasses that recordings can tell apart reliably."""

from typing import Final

SUPERCLASSES: Final[dict[str, tuple[str, ...]]] = {
    "coloured_noise": ("white_noise", "pink_noise", "brown_noise", "blue_noise"),
    "road": ("highway", "urban_traffic", "motorcycle", "bicycle", "ev"),
    "aircraft": ("aircraft_takeoff", "aircraft_cruise", "aircraft_landing"),
    "rail": ("train", "subway"),
    "office_room": ("office_quiet", "office_busy"),
    "construction": ("construction_drilling", "construction_hammering", "construction_sawing"),
    "people_place": ("cafe_quiet", "cafe_busy", "restaurant", "mall", "airport", "train_station", "crowd_talking"),
    "industrial": ("factory_general", "factory_machinery", "factory_assembly", "warehouse", "generator"),
    "wind": ("wind_light", "wind_strong"),
    "rain": ("rain_light", "rain_heavy"),
    "thunder": ("thunder",),
    "water": ("ocean", "waterfall"),
    "forest": ("forest",),
    "fan_hum": ("office_hvac", "hvac", "server_room", "refrigerator", "air_purifier", "computer_fan"),
    "appliance": ("dishwasher", "washing_machine", "vacuum"),
    "crowd_event": ("crowd_applause", "crowd_cheering"),
    "baby_crying": ("baby_crying",),
    "dog_barking": ("dog_barking",),
    "music": ("music_bass", "music_treble"),
    "silence": ("silence",),
    "mixed_noise": ("mixed_noise",),
    "emergency": ("emergency",),
}
"""Superclass to categories."""

_NAMES: Final = """
    white_noise pink_noise brown_noise blue_noise highway urban_traffic aircraft_takeoff aircraft_cruise
    aircraft_landing train subway motorcycle bicycle ev office_quiet office_busy office_hvac construction_drilling
    construction_hammering construction_sawing cafe_quiet cafe_busy restaurant mall airport train_station
    factory_general factory_machinery factory_assembly warehouse server_room generator wind_light wind_strong
    rain_light rain_heavy thunder ocean waterfall forest hvac refrigerator dishwasher washing_machine vacuum
    air_purifier computer_fan crowd_applause crowd_cheering crowd_talking baby_crying dog_barking music_bass
    music_treble silence mixed_noise emergency
"""

CATEGORIES: Final[tuple[str, ...]] = tuple(_NAMES.split())
"""Categories in the order of the network's outputs; a shipped model's outputs mean nothing in another order."""

EMERGENCIES: Final[tuple[str, ...]] = ("siren", "alarm", "horn", "glass", "gunshot")
"""Kinds of emergency the second head tells apart."""

SUPERCLASS_OF: Final[dict[str, str]] = {
    category: superclass for superclass, members in SUPERCLASSES.items() for category in members
}
