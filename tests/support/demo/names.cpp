#include "tests/support/demo/names.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace demo {

namespace {

/// Lists are separated by spaces. A zone that ends in / stands for all that begin so; the longest wins, and
/// cultures that share a zone take turns by chance.
struct Culture {
    std::string_view zones;
    std::string_view first_names;
    std::string_view last_names;
};

constexpr auto cultures = std::to_array<Culture>({
    // Latin script, with whatever stands above and below its letters
    {"America/ US/ Canada/ Europe/London Europe/Belfast Europe/Guernsey Europe/Jersey Europe/Isle_of_Man "
     "Europe/Gibraltar GB Australia/ Pacific/Norfolk Pacific/Pitcairn Antarctica/ EST EST5EDT CST6CDT "
     "MST7MDT "
     "MST PST8PDT Navajo Atlantic/Bermuda Atlantic/Stanley Atlantic/St_Helena Atlantic/South_Georgia "
     "Pacific/Wake "
     "Pacific/Midway Pacific/Johnston",
     "Olivia Amelia Charlotte Isla Grace Harper Noah Oliver George Theodore Henry Jack Zoë Renée",
     "Smith Taylor Brown Wilson Evans Clarke Wright Turner Hughes Bennett O’Neill Brontë"},
    {"Europe/Dublin Eire GB-Eire", "Aoife Caoimhe Niamh Róisín Síle Seán Oisín Cillian Pádraig Fionn",
     "O’Brien NicDhòmhnaill O’Sullivan Murphy Breathnach Byrne Ó’Cléirigh Walsh"},
    {"Europe/Madrid Africa/Ceuta Atlantic/Canary Europe/Andorra America/Mexico_City America/Bogota "
     "America/Lima "
     "America/Caracas America/Argentina/ America/Buenos_Aires America/Catamarca America/Cordoba "
     "America/Jujuy "
     "America/Mendoza America/Rosario America/Santiago America/Punta_Arenas America/Coyhaique "
     "America/Montevideo "
     "America/Havana America/La_Paz America/Guatemala America/Managua America/Panama America/El_Salvador "
     "America/Costa_Rica America/Tegucigalpa America/Guayaquil America/Santo_Domingo America/Puerto_Rico "
     "America/Tijuana America/Monterrey America/Merida America/Cancun America/Chihuahua America/Hermosillo "
     "America/Mazatlan America/Matamoros America/Ojinaga America/Ciudad_Juarez America/Bahia_Banderas "
     "America/Ensenada America/Santa_Isabel Mexico/ Chile/ Cuba Pacific/Easter Pacific/Galapagos "
     "Africa/Malabo",
     "María Lucía Sofía Valentina Inés Ximena José Andrés Joaquín Matías Íñigo Ángel",
     "García Núñez Rodríguez Fernández López Gómez Muñoz Peña Ibáñez Quiñones"},
    {"Europe/Lisbon Portugal Atlantic/Azores Atlantic/Madeira Atlantic/Cape_Verde Brazil/ America/Sao_Paulo "
     "America/Bahia America/Recife America/Fortaleza America/Manaus America/Belem America/Maceio "
     "America/Araguaina "
     "America/Campo_Grande America/Cuiaba America/Boa_Vista America/Porto_Velho America/Porto_Acre "
     "America/Rio_Branco America/Eirunepe America/Santarem America/Noronha Africa/Luanda Africa/Maputo "
     "Africa/Bissau Africa/Sao_Tome",
     "João Inês Conceição Luís Antônia Tomás Mónica Estêvão Beatriz Caetano Flávia",
     "Gonçalves Magalhães Conceição Araújo Simões Falcão Guimarães Assunção Brandão"},
    {"Asia/Dili", "Domingas Florindo Ermelinda Lourenço Natália Tomé", "Ximenes Soares Guterres Amaral Belo"},
    {"Europe/Paris Europe/Monaco Europe/Brussels Europe/Luxembourg America/Montreal America/Guadeloupe "
     "America/Martinique America/Cayenne America/Miquelon America/Marigot America/St_Barthelemy "
     "Indian/Reunion "
     "Indian/Mayotte Indian/Kerguelen Pacific/Noumea America/Blanc-Sablon Antarctica/DumontDUrville",
     "Chloé Zoé Anaïs Léa Noémie Étienne François Loïc Théo Gaël",
     "Lefèvre Bérenger Delacroix Gauthier Château Françoise D’Aubigné Rivière Noël"},
    {"America/Port-au-Prince", "Wideline Fabiola Lovely Jean-Baptiste Frantz Wilner",
     "Désir Toussaint Pierre Étienne"},
    {"Europe/Berlin Europe/Vienna Europe/Zurich Europe/Busingen Europe/Vaduz CET MET",
     "Jürgen Käthe Björn Günther Sören Annelie Mathilda Götz Änne Lukas",
     "Müller Schröder Weiß Großmann Köhler Böhm Jäger Schäfer Brüggemann"},
    {"Europe/Amsterdam America/Paramaribo America/Curacao America/Aruba America/Kralendijk "
     "America/Lower_Princes",
     "Daniël Eloïse Thijs Fleur Joël Maaike Niek Zoë", "Jansen Bakker Visser Smit Mulder Daniëls Dijkstra"},
    {"Europe/Oslo Europe/Copenhagen Europe/Stockholm Europe/Mariehamn Arctic/Longyearbyen Atlantic/Jan_Mayen "
     "Atlantic/Faroe Atlantic/Faeroe Antarctica/Troll",
     "Åse Øyvind Bjørn Søren Märta Åke Jørgen Sigrid Håkon Göran Maiken",
     "Ødegård Sørensen Åberg Lindström Kjær Løvås Sjöberg Næss Högberg"},
    {"Atlantic/Reykjavik Iceland", "Þórunn Guðrún Sæunn Ásdís Björk Þorsteinn Hörður Ægir",
     "Þórsdóttir Guðmundsson Sigurðardóttir Jónsdóttir Björnsson Ágústsson"},
    {"America/Nuuk America/Godthab America/Danmarkshavn America/Scoresbysund America/Thule",
     "Aviâja Nivi Ivalu Malik Inuk Pipaluk Minik Nuka", "Petersen Kleist Møller Qujaukitsoq Lynge Motzfeldt"},
    {"Europe/Helsinki Europe/Tallinn EET", "Päivi Väinö Jürgen Õnne Tõnu Eevi Heikki Ülle Yrjö Äli",
     "Mäkinen Hämäläinen Põld Kõiv Järvinen Tamm Võsu Yrjönen"},
    {"Europe/Riga Europe/Vilnius", "Jānis Līga Kārlis Žydrūnas Rūta Eglė Mārtiņš Dainė Ģirts",
     "Bērziņš Kalniņa Šķēle Žukauskas Jankauskaitė Ozoliņš Čiurlionis"},
    {"Europe/Warsaw Poland", "Łukasz Małgorzata Zdzisław Jędrzej Bożena Świętosława Kuba Żaneta",
     "Wiśniewska Dąbrowski Wójcik Kowalczyk Zając Piątek Śliwiński Gołąb"},
    {"Europe/Prague Europe/Bratislava", "Jiří Božena Ľubomír Žofie Řehoř Štěpán Anežka Ďurica",
     "Dvořák Novotný Kučerová Říha Hronský Šťastný Čapková"},
    {"Europe/Budapest", "Zsófia Győző Ödön Jenő Ágnes Örs Réka Bence",
     "Szabó Kővári Nagy Fekete Tőzsér Gergő Üveges"},
    {"Europe/Ljubljana Europe/Zagreb Europe/Sarajevo Europe/Podgorica",
     "Željko Đurđica Živa Ćiro Nađa Matjaž Špela Hrvoje", "Kovačić Žagar Đurić Babić Šimunović Hadžić Čop"},
    {"Europe/Bucharest Europe/Chisinau Europe/Tiraspol",
     "Ștefan Ionuț Cătălina Ruxandra Mihăiță Țvetana Ilinca",
     "Popescu Țăranu Brâncuși Șerban Grigoriță Mărculescu"},
    {"Europe/Tirane", "Ermal Blerta Çlirim Drilon Mirjetë Agnesë", "Hoxha Këlliçi Çela Gjoka Dedë"},
    {"Europe/Rome Europe/San_Marino Europe/Vatican", "Niccolò Giosuè Chiara Beatrice Noè Ginevra Tancredi",
     "D’Angelo Cantù Niccolai Donà Rossi Muscarà Scimè"},
    {"Europe/Malta", "Ġorġ Ċensa Ħanna Żeża Luqa Marija", "Ċassar Għaxaq Żammit Borġ Ħili"},
    {"Europe/Istanbul Asia/Istanbul Turkey", "Gülşen Çağla Ömer Işıl İbrahim Uğur Şükrü Müge",
     "Yılmaz Öztürk Çelik Şahin Güneş İnönü Doğan"},
    {"Asia/Baku", "Əli Günay Çingiz Xəyalə Ülviyyə Rəşad", "Əliyev Məmmədova Hüseynov Quliyeva"},
    {"Asia/Ashgabat Asia/Ashkhabad Asia/Tashkent Asia/Samarkand",
     "Gulşirin Oʻgʻiloy Jasur Mähri Ýusup Sanʼat Zulfiya", "Gʻulomov Yoʻldosheva Annaýew Rahimov Karimova"},
    {"Asia/Ho_Chi_Minh Asia/Saigon", "Nguyệt Đức Hạnh Thảo Quỳnh Tuấn Phượng Hiếu",
     "Nguyễn Trần Lê Phạm Hoàng Đặng Võ Bùi"},
    {"Asia/Jakarta Asia/Pontianak Asia/Makassar Asia/Ujung_Pandang Asia/Jayapura",
     "Sri Wulan Bambang Agus Dewi Putu Made Nyoman", "Wijaya Hartono Siregar Pangestu Nasution Suryani"},
    {"Asia/Kuala_Lumpur Asia/Kuching Asia/Brunei Asia/Singapore Singapore Indian/Christmas Indian/Cocos",
     "Aisyah Hafiz Siti Amirul Farah Syafiq", "Abdullah Ismail Rahman Osman Yusof"},
    {"Asia/Manila Pacific/Guam Pacific/Saipan", "Maria Jomar Niña Benigno Luningning Ligaya",
     "Dimayuga Macaraeg Peñaflor Bagtas Santos Dimaculangan"},
    {"Pacific/Honolulu US/Hawaii HST", "Kaʻiulani Keʻala Nāhiʻenaʻena Kawika Leilani Kāwika Noʻeau Haunani",
     "Kealoha Kānepuʻu Hoʻomana Nākoa Kahananui Kaʻaʻawa"},
    {"Pacific/Auckland NZ Antarctica/McMurdo Antarctica/South_Pole Pacific/Chatham NZ-CHAT Pacific/Rarotonga",
     "Aroha Hēmi Ngāio Tāne Mārama Wiremu Hīnewai Rāwiri", "Ngāta Pōtatau Tāmati Tūhoe Hēnare Paraone"},
    {"Pacific/", "Sina Tevita Lupe Ioane Mele Fetuʻu Losa Tavita Vaʻa Tebuai",
     "Tuilagi Faʻafetai Taufaʻāhau Leavai Vunipola Maʻafu Tongatea"},
    {"Pacific/Tahiti Pacific/Marquesas Pacific/Gambier", "Hinano Teʻura Moana Tāvini Vaimiti Manutahi",
     "Teriʻi Pōmare Teʻiva Faʻatau Maʻi"},
    {"America/Iqaluit America/Pangnirtung America/Rankin_Inlet America/Resolute America/Cambridge_Bay",
     "ᐊᓄᕆ ᓯᓚ ᐅᓪᓗᕆᐊᖅ ᑎᒍᒥᐊᖅ ᓇᓄᖅ ᓴᓇ", "ᐃᑦᑐᒃᓵᕐᔪᐊᖅ ᐊᕐᓇᖅ ᖃᐅᔨᒪ ᓄᓇᓕᒃ"},
    {"Africa/", "Amahle Thabo Wanjirũ Chinwe Kwame Aïssatou Kofi Fatoumata Njeri Sékou Zanele Tendai",
     "Dlamini Mwangi Diallo Koné Mensah Ndlovu Traoré Odhiambo N’Diaye Banda"},
    {"Africa/Lagos", "Adébáyọ̀ Ọlúwaṣeun Chukwuemeka Ngọzi Títílayọ̀ Ìfẹ́olúwa Ụzọamaka",
     "Ọláyínká Adékúnlé Okọ́ńjọ Ṣóyínká Nwọsu Ògúnbàńjọ"},
    {"Indian/Antananarivo Indian/Mauritius Indian/Mahe Indian/Comoro Indian/Chagos",
     "Hanitra Rakoto Voahangy Jean-Yves Anjali Soilihi",
     "Rakotomalala Andrianarisoa Ramgoolam D’Offay Boléro"},
    // Cyrillic, Greek, Georgian, Armenian
    {"Europe/Moscow W-SU Europe/Kaliningrad Europe/Kirov Europe/Samara Europe/Saratov Europe/Volgograd "
     "Europe/Astrakhan Europe/Ulyanovsk Europe/Minsk Asia/Yekaterinburg Asia/Omsk Asia/Novosibirsk "
     "Asia/Barnaul "
     "Asia/Tomsk Asia/Novokuznetsk Asia/Krasnoyarsk Asia/Irkutsk Asia/Chita Asia/Vladivostok Asia/Sakhalin "
     "Asia/Magadan Asia/Srednekolymsk Asia/Kamchatka Asia/Anadyr Asia/Khandyga Asia/Ust-Nera "
     "Antarctica/Vostok",
     "Анна Дмитрий Фёдор Ольга Светлана Артём Юрий Любовь Наталья Сергей",
     "Иванова Кузнецов Соловьёв Смирнова Попов Воробьёва Щербаков Жуковский"},
    {"Asia/Yakutsk", "Айталина Ньургун Сардаана Эрчим Туйаара", "Слепцова Өлөксөөйөп Дьячковскай"},
    {"Europe/Kyiv Europe/Kiev Europe/Uzhgorod Europe/Zaporozhye Europe/Simferopol",
     "Олена Соломія Дмитро Їжакевич Григорій Євген Наталія Ярина",
     "Шевченко Коваленко Гриценко Лисенко Ґудзь Їжак"},
    {"Europe/Sofia Europe/Belgrade Europe/Skopje", "Ђорђе Љиљана Његош Живко Ивайло Цветелина Ѓорѓи Ќиро",
     "Петровић Димитров Јовановић Ѓорѓиевски Стоянова"},
    {"Asia/Almaty Asia/Aqtau Asia/Aqtobe Asia/Atyrau Asia/Oral Asia/Qostanay Asia/Qyzylorda Asia/Bishkek "
     "Asia/Dushanbe",
     "Әсел Нұрлан Жібек Айгүл Ғалым Қайрат Бектұр Фирдавс", "Әубәкіров Құнанбаев Жүнісова Өмүралиева Раҳмон"},
    {"Asia/Ulaanbaatar Asia/Ulan_Bator Asia/Hovd Asia/Choibalsan",
     "Бат-Эрдэнэ Сүхбаатар Өнөрмаа Энхтуяа Хулан Түмэн", "Дорж Батмөнх Ганбаатар Цэдэнбал Мөнхжаргал"},
    {"Europe/Athens Europe/Nicosia Asia/Nicosia Asia/Famagusta",
     "Γιώργος Ελένη Χρήστος Μαρία Ευαγγελία Ξένια Ιωάννης Ζωή",
     "Παπαδόπουλος Αγγελίδου Οικονόμου Ψαλτάκης Ξανθού"},
    {"Asia/Tbilisi", "ნინო გიორგი თამარ ლევან ქეთევან ვახტანგ",
     "ბერიძე კაპანაძე გელაშვილი ჯავახიშვილი მამარდაშვილი"},
    {"Asia/Yerevan", "Արամ Անահիտ Նարեկ Սիրանուշ Գևորգ Լուսինե", "Պետրոսյան Հակոբյան Սարգսյան Ղազարյան"},
    // Right to left
    {"Africa/Cairo Egypt Africa/Tripoli Libya Africa/Khartoum Africa/Algiers Africa/Tunis Africa/Casablanca "
     "Africa/El_Aaiun Africa/Nouakchott Asia/Aden Asia/Amman Asia/Baghdad Asia/Bahrain Asia/Beirut "
     "Asia/Damascus "
     "Asia/Dubai Asia/Gaza Asia/Hebron Asia/Kuwait Asia/Muscat Asia/Qatar Asia/Riyadh Antarctica/Syowa",
     "فاطمة محمد ليلى يوسف نور أحمد مريم خالد زينب عمر", "الحسيني القاسم الخطيب النجار المصري بنونة العتيبي"},
    {"Asia/Tehran Iran Asia/Kabul", "پریسا کیان ژاله آرش شیرین گلناز بهرام",
     "رضایی چگینی پوررحیم احمدزی گودرزی"},
    {"Asia/Karachi", "عائشہ بلال ثناء حمزہ نگہت ٹیپو", "قریشی چودھری بھٹی ڈار اعوان"},
    {"Asia/Urumqi Asia/Kashgar", "ئايگۈل تۇرسۇن مەھمۇت رەيھان", "ئابلىز ئەخمەت قادىر"},
    {"Asia/Jerusalem Asia/Tel_Aviv Israel", "נועה יונתן שירה איתמר תמר אורי",
     "לוי מזרחי פרידמן ביטון כהן אזולאי"},
    {"Indian/Maldives", "އައިޝަތު އިބްރާހީމް މަރިޔަމް އަހުމަދު", "ރަޝީދު ނަޝީދު މަނިކު"},
    // South Asia
    {"Asia/Kolkata Asia/Calcutta", "प्रिया आरव अनुष्का कृष्ण मीनाक्षी ऋषि", "शर्मा द्विवेदी त्रिपाठी चौहान मिश्रा"},
    {"Asia/Kolkata Asia/Calcutta Asia/Singapore Singapore", "கார்த்திக் மீனாட்சி தமிழ்ச்செல்வி முருகன் அன்பழகன்",
     "சுப்பிரமணியம் இராமசாமி நாகராஜன் பழனிசாமி"},
    {"Asia/Kathmandu Asia/Katmandu", "सुनिता विश्वास ज्योति निश्चल पेम्बा", "श्रेष्ठ अर्याल थापा गुरुङ राई"},
    {"Asia/Dhaka Asia/Dacca", "আয়েশা রফিকুল শ্রাবণী তাসনিম হুমায়ূন", "চৌধুরী রহমান বন্দ্যোপাধ্যায় হোসেন"},
    {"Asia/Colombo",
     "නිමල් ශ්‍රියානි කුමාර චන්ද්‍රිකා "
     "සඳුනි",
     "පෙරේරා විජේසිංහ ජයවර්ධන ගුණතිලක"},
    {"Asia/Thimphu Asia/Thimbu", "ཀརྨ སོནམ་ ཚེ་རིང་ པདྨ་ བསོད་ནམས་", "དབང་ཕྱུག་ རྡོ་རྗེ་ ལྷ་མོ་"},
    // East and south-east Asia
    {"Asia/Bangkok", "สมชาย กานต์ธิดา ณัฐวุฒิ พิมพ์ชนก เกียรติศักดิ์", "ศรีสุวรรณ วงศ์ใหญ่ รัตนโกสินทร์ ใจดี"},
    {"Asia/Vientiane", "ສົມສັກ ບຸນມີ ແກ້ວມະນີ ຄຳແພງ", "ພົມມະຈັນ ວົງສາ ໄຊຍະວົງ"},
    {"Asia/Phnom_Penh", "សុភា ធារី វិសាល ចន្ទ្រា ស្រីមុំ", "ហ៊ុន កែវ ព្រហ្ម ស៊ឹម"},
    {"Asia/Yangon Asia/Rangoon", "အောင်မျိုး နှင်းဆီ သီရိ ကျော်စွာ", "ထွန်း မြင့်ဦး ဝင်းနိုင် ခိုင်"},
    {"Asia/Shanghai Asia/Chongqing Asia/Chungking Asia/Harbin PRC Asia/Singapore Singapore",
     "秀英 伟 芳 子涵 欣怡 建国 梓萱 浩然", "王 李 张 刘 陈 欧阳 司马 诸葛"},
    {"Asia/Taipei ROC Asia/Hong_Kong Hongkong Asia/Macau Asia/Macao", "雅婷 家豪 淑芬 俊傑 詠詩 志明",
     "陳 林 黃 張 鄭 歐陽"},
    {"Asia/Tokyo Japan", "さくら 陽葵 蓮 ひろし 美咲 ケンジ 悠真", "佐藤 鈴木 高橋 渡邊 五十嵐 長谷川"},
    {"Asia/Seoul ROK Asia/Pyongyang", "서연 민준 하은 지후 은서 도윤", "김 이 박 최 남궁 선우"},
    // Horn of Africa
    {"Africa/Addis_Ababa Africa/Asmara Africa/Asmera", "አበበ ሰላም ትዕግስት ዮሐንስ መሰረት ኃይሌ",
     "ተስፋዬ ገብረማርያም ወልደሚካኤል በቀለ"},
});

std::vector<std::string_view> words(std::string_view list) {
    std::vector<std::string_view> found;
    while (!list.empty()) {
        const auto end = std::min(list.find(' '), list.size());
        found.push_back(list.substr(0, end));
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return found;
}

/// How well this culture fits the zone: the length of the pattern that matches it, or 0.
std::size_t fit(const Culture& culture, std::string_view zone) {
    std::size_t best = 0;
    for (const auto pattern : words(culture.zones)) {
        const bool matches = pattern.back() == '/' ? zone.starts_with(pattern) : zone == pattern;
        if (matches) best = std::max(best, pattern.size());
    }
    return best;
}

template <class List>
auto any_of(const List& list, std::mt19937_64& random) {
    return list[random() % list.size()];
}

std::vector<const Culture*> cultures_in(std::string_view zone) {
    std::vector<const Culture*> found;
    std::size_t best = 0;
    for (const auto& culture : cultures) {
        const auto length = fit(culture, zone);
        if (length > best) found.clear();
        best = std::max(best, length);
        if (length == best) found.push_back(&culture);
    }
    return found;
}

}  // namespace

Name name_in(std::string_view zone, std::mt19937_64& random) {
    const auto& culture = *any_of(cultures_in(zone), random);
    return {std::string(any_of(words(culture.first_names), random)),
            std::string(any_of(words(culture.last_names), random))};
}

}  // namespace demo
